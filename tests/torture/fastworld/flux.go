package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A minimal Flux: it has no timers, but looks at the repository each time somebody looks at it.

const (
	sources        = "/apis/source.toolkit.fluxcd.io/v1"
	kustomizations = "/apis/kustomize.toolkit.fluxcd.io/v1"
)

var (
	listed = regexp.MustCompile(`(?m)^\s*-\s+(\S+\.yaml)\s*$`)
	kind   = regexp.MustCompile(`(?m)^kind:\s*Kustomization\s*$`)
	group  = regexp.MustCompile(`(?m)^apiVersion:\s*kustomize\.toolkit\.fluxcd\.io/v1\s*$`)
	named  = regexp.MustCompile(`(?m)^  name:\s*(\S+)\s*$`)
	where  = regexp.MustCompile(`(?m)^  path:\s*(\S+)\s*$`)
	needs  = regexp.MustCompile(`(?ms)^  dependsOn:\n((?:    .*\n)*)`)
	needed = regexp.MustCompile(`- name:\s*(\S+)`)
)

func (s *store) reconcile() {
	for path, each := range s.Objects {
		if strings.HasPrefix(path, sources+"/namespaces/") && strings.Contains(path, "/gitrepositories/") {
			s.fetch(path, each)
		}
	}
	for range 2 { // what the root makes is ready in the same look
		for path, each := range s.Objects {
			if strings.HasPrefix(path, kustomizations+"/namespaces/") {
				s.build(path, each)
			}
		}
	}
}

func suspended(value object) bool {
	return child(value, "spec")["suspend"] == true
}

// fetch brings a GitRepository to its branch's head.
func (s *store) fetch(path string, there object) {
	if suspended(there) {
		return
	}
	spec := child(there, "spec")
	branch := text(child(spec, "ref"), "branch")
	state, err := s.place.load()
	commit := ""
	if err == nil && state != nil {
		err = s.admitted(there, state)
		if err == nil {
			commit, err = head(state.Repository, branch)
		}
	}
	if err != nil || commit == "" {
		s.condition(path, there, "False", "GitOperationFailed", fmt.Sprintf("failed to checkout and determine revision: %v", err), nil)
		return
	}
	revision := branch + "@sha1:" + commit
	more := object{"artifact": object{"revision": revision}}
	s.condition(path, there, "True", "Succeeded", "stored artifact for revision '"+revision+"'", more)
}

// admitted: the source names this cluster's git server and knows its password.
func (s *store) admitted(there object, state *engineState) error {
	spec := child(there, "spec")
	if wanted := fmt.Sprintf("http://127.0.0.1:%d/fleet.git", state.Ports["git-server"]); text(spec, "url") != wanted {
		return fmt.Errorf("%s is not %s", text(spec, "url"), wanted)
	}
	token, err := os.ReadFile(s.place.file("git-token"))
	if err != nil {
		return err
	}
	secret := s.Objects["/api/v1/namespaces/flux-system/secrets/"+text(child(spec, "secretRef"), "name")]
	if secret == nil {
		return fmt.Errorf("secrets %q not found", text(child(spec, "secretRef"), "name"))
	}
	password, _ := base64.StdEncoding.DecodeString(text(child(secret, "data"), "password"))
	if strings.TrimSpace(string(token)) != string(password) {
		return fmt.Errorf("authentication required")
	}
	return nil
}

// head is the commit of a branch, read from the repository's files as git keeps them.
func head(repository, branch string) (string, error) {
	loose, err := os.ReadFile(filepath.Join(repository, "refs", "heads", filepath.FromSlash(branch)))
	if err == nil && len(strings.TrimSpace(string(loose))) == 40 {
		return strings.TrimSpace(string(loose)), nil
	}
	packed, err := os.ReadFile(filepath.Join(repository, "packed-refs"))
	if err == nil {
		for _, line := range strings.Split(string(packed), "\n") {
			if commit, name, _ := strings.Cut(line, " "); name == "refs/heads/"+branch {
				return commit, nil
			}
		}
	}
	return "", fmt.Errorf("couldn't find remote ref %q", "refs/heads/"+branch)
}

// build brings a Kustomization to its source's revision; the root makes those that its folder names.
func (s *store) build(path string, there object) {
	if suspended(there) {
		return
	}
	spec := child(there, "spec")
	what, _ := parse(path)
	source := s.Objects[sources+"/namespaces/"+what.namespace+"/gitrepositories/"+text(child(spec, "sourceRef"), "name")]
	status := object{}
	if source != nil {
		status = child(source, "status")
	}
	revision := text(child(status, "artifact"), "revision")
	if revision == "" {
		s.condition(path, there, "False", "ArtifactNotReady", "Source artifact not found, retrying in 10s", nil)
		return
	}
	if text(child(there, "status"), "lastAppliedRevision") == revision {
		return
	}
	_, commit, _ := strings.Cut(revision, ":")
	made := s.children(text(spec, "path"), commit)
	inventory := []any{}
	for _, each := range made {
		name := text(child(each, "metadata"), "name")
		if name == what.name || s.isDropped(spec, name) {
			continue
		}
		s.put(kustomizations+"/namespaces/flux-system/kustomizations", "flux-system", withStatus(each, s, name))
		inventory = append(inventory, name)
	}
	before, _ := child(there, "status")["inventory"].([]any)
	for _, name := range before {
		if !contains(inventory, name) {
			s.drop(fmt.Sprintf("%s/namespaces/flux-system/kustomizations/%v", kustomizations, name))
		}
	}
	s.condition(path, there, "True", "ReconciliationSucceeded", "Applied revision: "+revision, object{
		"lastAppliedRevision": revision, "lastAttemptedRevision": revision, "inventory": inventory,
	})
}

// withStatus keeps what was known of an object that is applied again.
func withStatus(made object, s *store, name string) object {
	copied := clone(made)
	if there := s.Objects[kustomizations+"/namespaces/flux-system/kustomizations/"+name]; there != nil {
		copied["status"] = clone(there)["status"]
	}
	return copied
}

func contains(names []any, wanted any) bool {
	for _, name := range names {
		if name == wanted {
			return true
		}
	}
	return false
}

// isDropped: the root's own patches leave such an object out.
func (s *store) isDropped(spec object, name string) bool {
	patches, _ := spec["patches"].([]any)
	for _, each := range patches {
		patch, _ := each.(object)
		target := child(patch, "target")
		if text(target, "kind") == "Kustomization" && text(target, "name") == name {
			return true
		}
	}
	return false
}

// prune takes away what a Kustomization made.
func (s *store) prune(there object) {
	if there == nil || suspended(there) {
		return
	}
	made, _ := child(there, "status")["inventory"].([]any)
	for _, name := range made {
		s.drop(fmt.Sprintf("%s/namespaces/flux-system/kustomizations/%v", kustomizations, name))
	}
}

func (s *store) condition(path string, there object, ready, reason, message string, more object) {
	changed := clone(there)
	status := child(changed, "status")
	for name, value := range more {
		status[name] = value
	}
	generation := child(changed, "metadata")["generation"]
	since := time.Now().UTC().Format("2006-01-02T15:04:05Z")
	if old, _ := status["conditions"].([]any); len(old) == 1 {
		if was, _ := old[0].(object); text(was, "status") == ready {
			since = text(was, "lastTransitionTime")
		}
	}
	status["observedGeneration"] = generation
	status["conditions"] = []any{object{
		"type": "Ready", "status": ready, "reason": reason, "message": message, "observedGeneration": generation,
		"lastTransitionTime": since,
	}}
	what, _ := parse(path)
	s.put(what.collection, what.namespace, changed)
}

// children are the Kustomizations of Flux in the files that a folder's kustomization.yaml lists.
func (s *store) children(folder, commit string) []object {
	key := commit + ":" + folder
	if found, known := s.trees[key]; known {
		return found
	}
	state, err := s.place.load()
	if err != nil || state == nil {
		return nil
	}
	found := readChildren(state.Repository, commit, strings.TrimPrefix(folder, "./"))
	s.trees[key] = found
	return found
}

func readChildren(repository, commit, folder string) []object {
	command := exec.Command("git", "--git-dir", repository, "cat-file", "--batch")
	input, err := command.StdinPipe()
	if err != nil {
		return nil
	}
	output, err := command.StdoutPipe()
	if err != nil || command.Start() != nil {
		return nil
	}
	reader := bufio.NewReader(output)
	read := func(name string) string {
		_, _ = fmt.Fprintf(input, "%s:%s/%s\n", commit, folder, name)
		return oneBlob(reader)
	}
	var found []object
	for _, match := range listed.FindAllStringSubmatch(read("kustomization.yaml"), -1) {
		for _, document := range strings.Split(read(match[1]), "\n---\n") {
			if made := kustomizationIn(document); made != nil {
				found = append(found, made)
			}
		}
	}
	_ = input.Close()
	_ = command.Wait()
	return found
}

func oneBlob(reader *bufio.Reader) string {
	line, err := reader.ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) != 3 || words[1] != "blob" {
		return ""
	}
	size := 0
	_, _ = fmt.Sscanf(words[2], "%d", &size)
	data := make([]byte, size+1)
	if _, err := io.ReadFull(reader, data); err != nil {
		return ""
	}
	return string(data[:size])
}

func kustomizationIn(document string) object {
	name, path := named.FindStringSubmatch(document), where.FindStringSubmatch(document)
	if !kind.MatchString(document) || !group.MatchString(document) || name == nil || path == nil {
		return nil
	}
	spec := object{
		"path": path[1], "prune": true, "interval": "10m",
		"sourceRef": object{"kind": "GitRepository", "name": "flux-system"},
	}
	if block := needs.FindStringSubmatch(document); block != nil {
		after := []any{}
		for _, each := range needed.FindAllStringSubmatch(block[1], -1) {
			after = append(after, object{"name": each[1]})
		}
		spec["dependsOn"] = after
	}
	return object{
		"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
		"metadata": object{"name": name[1], "namespace": "flux-system"}, "spec": spec,
	}
}
