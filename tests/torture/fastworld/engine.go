package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var components = []string{
	"etcd", "kube-apiserver", "git-server", "source-controller", "kustomize-controller", "helm-controller",
	"notification-controller", "kube-controller-manager", "kube-scheduler", "kwok",
}

// In the order of karrots.engine.components.PORT_NAMES.
var portNames = []string{
	"kube-apiserver", "git-server", "source-controller", "source-metrics", "source-artifacts", "kustomize-controller",
	"kustomize-metrics", "helm-controller", "helm-metrics", "notification-controller", "notification-metrics",
	"notification-events", "notification-receiver", "kube-controller-manager", "kube-scheduler", "kwok",
}

const gitServerModule = "karrots.engine.gitserver"

type known struct {
	Pid  int      `json:"pid"`
	Born string   `json:"born"`
	Argv []string `json:"argv"`
}

// engineState is karrots.engine.folder.State.
type engineState struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Repository string            `json:"repository"`
	Nodes      int               `json:"nodes"`
	Ports      map[string]int    `json:"ports"`
	Created    string            `json:"created"`
	Binaries   string            `json:"binaries"`
	Content    string            `json:"content"`
	Starting   string            `json:"starting"`
	Versions   map[string]string `json:"versions"`
	Processes  map[string]known  `json:"processes"`
	Schema     int               `json:"schema"`
}

// cluster is the folder of one cluster of the engine.
type cluster string

func (c cluster) file(parts ...string) string {
	return filepath.Join(append([]string{string(c)}, parts...)...)
}

func (c cluster) load() (*engineState, error) {
	data, err := os.ReadFile(c.file("state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state := &engineState{}
	return state, json.Unmarshal(data, state)
}

func (c cluster) save(state *engineState) error {
	return writeJSON(c.file("state.json"), state)
}

func engine(verb string, words []string) int {
	given := map[string]string{}
	for i := 0; i+1 < len(words); i += 2 {
		given[strings.TrimLeft(words[i], "-")] = words[i+1]
	}
	place := cluster(filepath.Join(clustersHome(), given["id"]))
	unlock, err := held(filepath.Join(filepath.Dir(clustersHome()), "locks", given["id"]))
	if err == nil {
		defer unlock()
		switch verb {
		case "up":
			err = place.up(given)
		case "down":
			err = place.down()
		default:
			err = fmt.Errorf("fastworld does not know karrots.engine %s", verb)
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "karrots engine: %v\n", err)
		return 8
	}
	return 0
}

func (c cluster) up(given map[string]string) error {
	if err := at("up.start"); err != nil {
		return err
	}
	nodes, _ := strconv.Atoi(given["nodes"])
	if nodes < 1 {
		return fmt.Errorf("a cluster of the engine has 1 to 1000 nodes, not %d", nodes)
	}
	if _, err := os.Stat(filepath.Join(given["repository"], "HEAD")); err != nil {
		return fmt.Errorf("%s is not a git directory: it has no HEAD", given["repository"])
	}
	state, err := c.load()
	if err != nil {
		return err
	}
	var listeners []net.Listener
	if state == nil {
		if state, listeners, err = c.begin(given["id"]); err != nil {
			return err
		}
	}
	defer closeAll(listeners)
	state.Name, state.Repository, state.Nodes = given["name"], given["repository"], nodes
	if err := c.save(state); err != nil {
		return err
	}
	if err := at("up.ports"); err != nil {
		return err
	}
	if err := c.prepare(state); err != nil {
		return err
	}
	if !c.runs(state) {
		c.endAll(state)
		if listeners == nil {
			if listeners, err = listenAgain(state.Ports); err != nil {
				return err
			}
		}
		if err := c.start(state, listeners); err != nil {
			return err
		}
	}
	if err := c.setNodes(state.Nodes); err != nil {
		return err
	}
	fmt.Printf("cluster '%s' is up at https://127.0.0.1:%d\n", state.Name, state.Ports["kube-apiserver"])
	return at("up.done")
}

// begin draws ports and makes the folder, so that whoever comes next knows of them.
func (c cluster) begin(id string) (*engineState, []net.Listener, error) {
	unlock, err := held(filepath.Join(filepath.Dir(clustersHome()), "locks", "ports"))
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	ports, listeners, err := draw(string(c))
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(string(c), 0o700); err != nil {
		return nil, nil, err
	}
	return &engineState{
		ID: id, Ports: ports, Created: time.Now().UTC().Format("2006-01-02T15:04:05Z"), Schema: 1,
		Versions: map[string]string{}, Processes: map[string]known{},
	}, listeners, nil
}

// draw takes a block of neighbouring ports and listens on all of them, so that nobody else can have one.
func draw(key string) (map[string]int, []net.Listener, error) {
	low, high, size := 15000, 30000, len(portNames)
	count := (high - low) / size
	sum := sha256.Sum256([]byte(key))
	start := int(binary.BigEndian.Uint32(sum[:4])) % count
	for turn := range count {
		first := low + size*((start+turn)%count)
		ports := map[string]int{}
		for i, name := range portNames {
			ports[name] = first + i
		}
		if listeners, err := listenAll(ports); err == nil {
			return ports, listeners, nil
		}
	}
	return nil, nil, errors.New("no neighbouring free ports")
}

func listenAll(ports map[string]int) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, name := range portNames {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ports[name]))
		if err != nil {
			closeAll(listeners)
			return nil, err
		}
		listeners = append(listeners, listener)
	}
	return listeners, nil
}

func listenAgain(ports map[string]int) ([]net.Listener, error) {
	end := time.Now().Add(3 * time.Second)
	for {
		listeners, err := listenAll(ports)
		if err == nil || time.Now().After(end) {
			return listeners, err
		}
		time.Sleep(lookAgain)
	}
}

func closeAll(listeners []net.Listener) {
	for _, each := range listeners {
		_ = each.Close()
	}
}

// programs is the folder the engine's programs are in; ours, with a name for each.
func programs() string {
	if named := os.Getenv("KARROTS_ENGINE_BIN"); named != "" {
		return named
	}
	own, _ := os.Executable()
	return filepath.Dir(own)
}

func (c cluster) prepare(state *engineState) error {
	for _, part := range []string{"bin", "home", "tmp", "artifacts", "logs", "run", "etcd"} {
		if err := os.MkdirAll(c.file(part), 0o700); err != nil {
			return err
		}
	}
	if _, err := os.Stat(c.file("git-token")); err != nil {
		var secret [32]byte
		_, _ = rand.Read(secret[:])
		token := base64.RawURLEncoding.EncodeToString(secret[:])
		if err := writePrivate(c.file("git-token"), []byte(token)); err != nil {
			return err
		}
	}
	for _, name := range components {
		if name != "git-server" {
			_ = os.Remove(c.file("bin", name))
			if err := os.Symlink(filepath.Join(programs(), name), c.file("bin", name)); err != nil {
				return err
			}
		}
	}
	// etcd comes first in the real engine, and its log is what shows that something was ever started
	log, err := os.OpenFile(c.file("logs", "etcd.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_ = log.Close()
	if err := certify(c.file("pki")); err != nil {
		return err
	}
	if err := at("up.pki"); err != nil {
		return err
	}
	return c.writeAccess(state)
}

func (c cluster) writeAccess(state *engineState) error {
	server := fmt.Sprintf("https://127.0.0.1:%d", state.Ports["kube-apiserver"])
	ca, err := os.ReadFile(c.file("pki", "ca.crt"))
	if err != nil {
		return err
	}
	access := object{"server": server, "ca": string(ca), "certificate": c.file("pki", "admin.crt"), "key": c.file("pki", "admin.key")}
	if err := writeJSON(c.file("access.json"), access); err != nil {
		return err
	}
	certificate, _ := os.ReadFile(c.file("pki", "admin.crt"))
	key, _ := os.ReadFile(c.file("pki", "admin.key"))
	encode := base64.StdEncoding.EncodeToString
	err = writeJSON(c.file("kubeconfig"), object{
		"apiVersion": "v1", "kind": "Config", "current-context": state.Name,
		"clusters": []object{{"name": state.Name, "cluster": object{"server": server, "certificate-authority-data": encode(ca)}}},
		"users": []object{{"name": state.Name, "user": object{
			"client-certificate-data": encode(certificate), "client-key-data": encode(key)}}},
		"contexts": []object{{"name": state.Name, "context": object{
			"cluster": state.Name, "user": state.Name, "namespace": "default"}}},
	})
	if err != nil {
		return err
	}
	return at("up.access")
}

func alive(entry known) bool {
	return entry.Born != "" && born(entry.Pid) == entry.Born
}

func (c cluster) runs(state *engineState) bool {
	for _, name := range components {
		entry, there := state.Processes[name]
		if !there || !alive(entry) {
			return false
		}
	}
	return true
}

// start lets one process stand for all components; it gets the ports already open.
func (c cluster) start(state *engineState, listeners []net.Listener) error {
	var manifest struct{ Versions map[string]string }
	data, err := os.ReadFile(filepath.Join(programs(), "versions.json"))
	if err == nil {
		err = json.Unmarshal(data, &manifest)
	}
	if err != nil {
		return err
	}
	if err := c.seed(); err != nil {
		return err
	}
	state.Starting = "kube-apiserver"
	if err := c.save(state); err != nil {
		return err
	}
	argv := []string{
		c.file("bin", "kube-apiserver"), fmt.Sprintf("--secure-port=%d", state.Ports["kube-apiserver"]),
		"--client-ca-file=" + c.file("pki", "ca.crt"), "--tls-cert-file=" + c.file("pki", "apiserver.crt"),
		"--tls-private-key-file=" + c.file("pki", "apiserver.key"), fmt.Sprintf("--listeners=%d", len(listeners)),
		"serve", // tells people in a list of processes, and is_at_work, that this one is meant to stay
	}
	pid, err := c.spawn(argv, listeners)
	if err != nil {
		return err
	}
	if err := at("up.server"); err != nil {
		return err
	}
	mark := born(pid)
	state.Processes = map[string]known{}
	for _, name := range components {
		state.Processes[name] = known{pid, mark, argv}
	}
	stamp, _ := json.Marshal(manifest.Versions) // map keys are sorted
	state.Content = strings.ReplaceAll(strings.ReplaceAll(string(stamp), `":"`, `": "`), `","`, `", "`)
	state.Starting, state.Versions, state.Binaries = "", manifest.Versions, programs()
	return c.save(state)
}

func (c cluster) spawn(argv []string, listeners []net.Listener) (int, error) {
	log, err := os.OpenFile(c.file("logs", "kube-apiserver.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	command := exec.Command(argv[0])
	command.Args, command.Dir, command.Stdout, command.Stderr = argv, string(c), log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	for _, each := range listeners {
		file, err := each.(*net.TCPListener).File()
		if err != nil {
			return 0, err
		}
		defer file.Close()
		command.ExtraFiles = append(command.ExtraFiles, file)
	}
	if err := command.Start(); err != nil {
		return 0, err
	}
	pid := command.Process.Pid
	return pid, command.Process.Release()
}

// seed is what an API server has before anybody asks: Flux's kinds and the namespaces.
func (c cluster) seed() error {
	if _, err := os.Stat(c.file("etcd", "objects.json")); err == nil {
		return nil
	}
	var kinds []object
	data, err := os.ReadFile(filepath.Join(programs(), "crds.json"))
	if err == nil {
		err = json.Unmarshal(data, &kinds)
	}
	if err != nil {
		return err
	}
	store := newStore(c)
	for _, kind := range kinds {
		store.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "", kind)
	}
	for _, name := range []string{"default", "kube-system", "kube-public", "kube-node-lease", "flux-system"} {
		store.put("/api/v1/namespaces", "", object{
			"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name}})
	}
	return store.save()
}

// setNodes asks the API server, as the real engine does, for as many nodes as are wanted.
func (c cluster) setNodes(count int) error {
	certificate, err := tls.LoadX509KeyPair(c.file("pki", "admin.crt"), c.file("pki", "admin.key"))
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(c.file("pki", "ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	state, err := c.load()
	if err != nil || state == nil {
		return errors.Join(err, errors.New("the state is gone"))
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}}}}
	defer client.CloseIdleConnections()
	nodes := fmt.Sprintf("https://127.0.0.1:%d/api/v1/nodes", state.Ports["kube-apiserver"])
	answer, err := client.Get(nodes)
	if err != nil {
		return err
	}
	var list struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	err = json.NewDecoder(answer.Body).Decode(&list)
	_ = answer.Body.Close()
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, each := range list.Items {
		there[each.Metadata.Name] = true
	}
	for number := range count {
		name := fmt.Sprintf("node-%d", number)
		if there[name] {
			delete(there, name)
			continue
		}
		body, _ := json.Marshal(object{"apiVersion": "v1", "kind": "Node", "metadata": object{"name": name}})
		if answer, err = client.Post(nodes, "application/json", bytes.NewReader(body)); err != nil {
			return err
		}
		_ = answer.Body.Close()
	}
	for name := range there {
		request, _ := http.NewRequest(http.MethodDelete, nodes+"/"+name, nil)
		if answer, err = client.Do(request); err != nil {
			return err
		}
		_ = answer.Body.Close()
	}
	return nil
}

func (c cluster) down() error {
	if err := at("down.start"); err != nil {
		return err
	}
	state, _ := c.load()
	ended := c.endAll(state)
	if err := at("down.ended"); err != nil {
		return err
	}
	files := 0
	_ = filepath.WalkDir(string(c), func(_ string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files++
		}
		return nil
	})
	if err := os.RemoveAll(string(c)); err != nil {
		return err
	}
	ports := 0
	if state != nil {
		ports = len(state.Ports)
	}
	fmt.Printf("ended %d processes, freed %d ports, deleted %d files\n", ended, ports, files)
	return at("down.done")
}

// endAll kills what the state knows and whatever else is a component of this cluster, and waits until it is gone.
func (c cluster) endAll(state *engineState) int {
	victims := map[int]bool{}
	if state != nil {
		for _, entry := range state.Processes {
			if alive(entry) {
				victims[entry.Pid] = true
			}
		}
	}
	for _, pid := range c.strays() {
		victims[pid] = true
	}
	for pid := range victims {
		if group, err := syscall.Getpgid(pid); err == nil && group == pid {
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		} else {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	end := time.Now().Add(10 * time.Second)
	for pid := range victims {
		for time.Now().Before(end) {
			if born(pid) == "" {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	return len(victims)
}

func (c cluster) strays() []int {
	var found []int
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, line := range lines {
		data, err := os.ReadFile(line)
		words := strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")
		if err != nil || len(words) == 0 {
			continue
		}
		git := len(words) > 3 && words[1] == "-m" && words[2] == gitServerModule && words[3] == string(c)
		if git || filepath.Dir(filepath.Dir(words[0])) == string(c) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(line)))
			found = append(found, pid)
		}
	}
	return found
}
