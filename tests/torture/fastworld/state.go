package main

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"strings"
	"time"
)

// Terraform's state, format 4.
type tfState struct {
	Version   int               `json:"version"`
	Terraform string            `json:"terraform_version"`
	Serial    int               `json:"serial"`
	Lineage   string            `json:"lineage"`
	Outputs   map[string]output `json:"outputs"`
	Resources []resource        `json:"resources"`
	Checks    any               `json:"check_results"`
}

type output struct {
	Value     any  `json:"value"`
	Type      any  `json:"type"`
	Sensitive bool `json:"sensitive,omitempty"`
}

type resource struct {
	Mode      string     `json:"mode"`
	Type      string     `json:"type"`
	Name      string     `json:"name"`
	Provider  string     `json:"provider"`
	Instances []instance `json:"instances"`
}

type instance struct {
	Status       string   `json:"status,omitempty"`
	Schema       int      `json:"schema_version"`
	Attributes   object   `json:"attributes"`
	Sensitive    []any    `json:"sensitive_attributes"`
	Dependencies []string `json:"dependencies,omitempty"`
}

func emptyState() *tfState {
	return &tfState{Version: 4, Terraform: terraformVersion, Outputs: map[string]output{}, Resources: []resource{}}
}

func (s *tfState) find(address string) *instance {
	for i := range s.Resources {
		if "terraform_data."+s.Resources[i].Name == address && len(s.Resources[i].Instances) > 0 {
			return &s.Resources[i].Instances[0]
		}
	}
	return nil
}

func (s *tfState) remove(address string) {
	kept := []resource{}
	for _, each := range s.Resources {
		if "terraform_data."+each.Name != address {
			kept = append(kept, each)
		}
	}
	s.Resources = kept
}

// put keeps resources in the order of their names, as Terraform does.
func (s *tfState) put(address string, made instance) {
	s.remove(address)
	added := resource{
		Mode: "managed", Type: "terraform_data", Name: strings.TrimPrefix(address, "terraform_data."),
		Provider: `provider["terraform.io/builtin/terraform"]`, Instances: []instance{made},
	}
	place := len(s.Resources)
	for i, each := range s.Resources {
		if each.Name > added.Name {
			place = i
			break
		}
	}
	s.Resources = append(s.Resources[:place], append([]resource{added}, s.Resources[place:]...)...)
}

// content is what a change of makes a new serial.
func (s *tfState) content() string {
	data, _ := json.Marshal(object{"outputs": s.Outputs, "resources": s.Resources})
	return string(data)
}

func (s *tfState) encode() []byte {
	data, _ := json.MarshalIndent(s, "", "  ")
	return append(data, '\n')
}

// backend is Terraform's http backend, set by TF_HTTP_*.
type backend struct {
	address, lockAddress, unlockAddress string
	lock                                object
	persisted                           string
}

func newBackend() *backend {
	address := os.Getenv("TF_HTTP_ADDRESS")
	return &backend{address, os.Getenv("TF_HTTP_LOCK_ADDRESS"), os.Getenv("TF_HTTP_UNLOCK_ADDRESS"), nil, ""}
}

func (b *backend) ask(method, address string, body []byte) (int, []byte, error) {
	request, err := http.NewRequest(method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.SetBasicAuth(os.Getenv("TF_HTTP_USERNAME"), os.Getenv("TF_HTTP_PASSWORD"))
	if body != nil {
		sum := md5.Sum(body)
		request.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := (&http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, data, err
}

func (b *backend) read() (*tfState, error) {
	status, data, err := b.ask(http.MethodGet, b.address, nil)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusNoContent || status == http.StatusNotFound || (status == http.StatusOK && len(data) == 0):
		return nil, nil
	case status != http.StatusOK:
		return nil, fmt.Errorf("HTTP remote state endpoint returned %d", status)
	}
	state := emptyState()
	if err := json.Unmarshal(data, state); err != nil {
		return nil, err
	}
	b.persisted = state.content()
	return state, nil
}

// acquire waits for the lock for at most `timeout`; the error's text is what Terraform says.
func (b *backend) acquire(operation string, timeout time.Duration) error {
	who, _ := user.Current()
	host, _ := os.Hostname()
	name := "unknown"
	if who != nil {
		name = who.Username
	}
	b.lock = object{
		"ID": newID(), "Operation": operation, "Info": "", "Who": name + "@" + host, "Version": terraformVersion,
		"Created": time.Now().UTC().Format(time.RFC3339Nano), "Path": "",
	}
	body, _ := json.Marshal(b.lock)
	end := time.Now().Add(timeout)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		status, data, err := b.ask("LOCK", b.lockAddress, body)
		if err == nil && status == http.StatusOK {
			return nil
		}
		if err == nil && status != http.StatusLocked && status != http.StatusConflict {
			b.lock = nil
			return fmt.Errorf("Unexpected HTTP response code %d", status)
		}
		if err != nil {
			b.lock = nil
			return err
		}
		if time.Now().Add(wait).After(end) || stopping() {
			b.lock = nil
			held := object{}
			_ = json.Unmarshal(data, &held)
			return fmt.Errorf("HTTP remote state already locked: ID=%v", held["ID"])
		}
		time.Sleep(wait)
	}
}

func (b *backend) release() error {
	body, _ := json.Marshal(b.lock)
	status, _, err := b.ask("UNLOCK", b.unlockAddress, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("Unexpected HTTP response code %d", status)
	}
	return err
}

// write sends the state when it differs from what the backend has; it gets a new serial then.
func (b *backend) write(state *tfState) error {
	now := state.content()
	if now == b.persisted {
		return nil
	}
	if state.Lineage == "" {
		// Nothing was there when the run began; Terraform looks once more before it founds a state.
		if _, err := b.read(); err != nil {
			return fmt.Errorf("failed checking for existing remote state: %w", err)
		}
		state.Lineage = newID()
	}
	state.Serial++
	return b.send(state, now)
}

func (b *backend) send(state *tfState, content string) error {
	status, _, err := b.ask(http.MethodPost, fmt.Sprintf("%s?ID=%v", b.address, b.lock["ID"]), state.encode())
	if err == nil && status != http.StatusOK && status != http.StatusCreated && status != http.StatusNoContent {
		err = fmt.Errorf("HTTP error: %d", status)
	}
	if err == nil {
		b.persisted = content
	}
	return err
}
