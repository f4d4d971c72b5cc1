package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	clusterAddress = "terraform_data.cluster"
	planeAddress   = "terraform_data.control_plane"
	backendFile    = ".terraform/terraform.tfstate"
	unsavedFile    = "errored.tfstate"
)

// The variables of templates/local without a default.
var required = []string{
	"cluster_id", "cluster_name", "cluster_domain", "cluster_network", "cluster_branch", "cluster_parent",
	"cluster_owner", "cluster_expires", "repository", "engine_home", "kubernetes_version", "nodes",
}

type change struct {
	Address string `json:"address"`
	Action  string `json:"action"`
	Reason  string `json:"reason,omitempty"`
}

// plan is what a saved plan file holds.
type plan struct {
	Destroy bool     `json:"destroy"`
	Lineage string   `json:"lineage"`
	Serial  int      `json:"serial"`
	Changes []change `json:"changes"`
	Outputs bool     `json:"outputs"`
	Values  object   `json:"values"`
}

// interruption is closed by the first SIGINT or SIGTERM; a second one ends the program at once.
var interruption = make(chan struct{})

func stopping() bool {
	select {
	case <-interruption:
		return true
	default:
		return false
	}
}

func listen() {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		say("info", "\nInterrupt received.\nPlease wait for Terraform to exit or data loss may occur.\n"+
			"Gracefully shutting down...\n", "log", nil)
		close(interruption)
		<-signals
		sayError("Two interrupts received. Exiting immediately. Note that data loss may have occurred.", "", nil)
		os.Exit(1)
	}()
}

func terraform(words []string) int {
	if len(words) == 0 {
		return 127
	}
	verb, rest := words[0], words[1:]
	given := flags(rest)
	switch verb {
	case "version", "--version", "-version":
		if given["json"] != "" {
			fmt.Printf(`{"terraform_version":%q,"platform":"linux_amd64","provider_selections":{}}`+"\n", terraformVersion)
		} else {
			fmt.Printf("Terraform v%s\non linux_amd64\n", terraformVersion)
		}
		return 0
	case "validate":
		fmt.Println(`{"format_version":"1.0","valid":true,"error_count":0,"warning_count":0,"diagnostics":[]}`)
		return 0
	}
	listen()
	switch verb {
	case "init":
		return tfInit()
	case "plan":
		return tfPlan(rest, given)
	case "apply":
		return tfApply(plain(rest), given)
	case "output", "show":
		return tfRead(verb, plain(rest))
	case "state":
		return tfPush(plain(rest), given)
	}
	fmt.Fprintf(os.Stderr, "fastworld does not know terraform %s\n", verb)
	return 127
}

func broke(summary string, err error) int {
	sayError(summary, err.Error(), nil)
	return 1
}

func tfInit() int {
	if err := at("tf.init"); err != nil {
		return broke("fault", err)
	}
	if _, err := newBackend().read(); err != nil {
		sayVersion()
		return broke("Error refreshing state", err)
	}
	sayVersion()
	say("info", "Initializing the backend...", "init_output", object{"message_code": "initializing_backend_message"})
	_ = os.MkdirAll(".terraform", 0o755)
	if err := os.WriteFile(backendFile, []byte(`{"version":3,"backend":{"type":"http"}}`+"\n"), 0o644); err != nil {
		return broke("Error saving the backend configuration", err)
	}
	fmt.Print("\nSuccessfully configured the backend \"http\"! Terraform will automatically\n" +
		"use this backend unless the backend configuration changes.\n")
	say("info", "Terraform has been successfully initialized!", "init_output",
		object{"message_code": "output_init_success_message"})
	return 0
}

// locked runs one operation under the state's lock.
func locked(operation string, given map[string]string, run func(*backend) int) int {
	sayVersion()
	if _, err := os.Stat(backendFile); err != nil {
		sayError("Backend initialization required, please run \"terraform init\"", "", nil)
		return 1
	}
	store := newBackend()
	timeout, _ := time.ParseDuration(given["lock-timeout"])
	if err := store.acquire(operation, timeout); err != nil {
		sayError("Error acquiring the state lock", "Error message: "+err.Error(), nil)
		return 1
	}
	status := 1
	if err := at("tf.locked"); err != nil {
		sayError("fault", err.Error(), nil)
	} else {
		status = run(store)
	}
	if err := at("tf.unlock"); err != nil {
		return broke("fault", err)
	}
	if err := store.release(); err != nil {
		sayError("Error releasing the state lock", err.Error(), nil)
		return 1
	}
	return status
}

func tfPlan(words []string, given map[string]string) int {
	return locked("OperationTypePlan", given, func(store *backend) int {
		state, err := store.read()
		if err != nil {
			return broke("Failed to load state", err)
		}
		if state == nil {
			state = emptyState()
		}
		values, err := variables()
		if err != nil {
			return broke("No value for required variable", err)
		}
		made := planned(state, values, given["destroy"] == "true", repeated(words, "replace"))
		sayRefreshed(state, given)
		for _, each := range made.Changes {
			sayPlanned(each)
		}
		add, remove := counts(made.Changes)
		saySummary("plan", add, remove)
		sayPlannedOutputs(state, made)
		if err := at("tf.plan"); err != nil {
			return broke("fault", err)
		}
		if stopping() {
			sayError("execution halted", "", nil)
			return 1
		}
		data, _ := json.Marshal(made)
		if err := os.WriteFile(given["out"], data, 0o644); err != nil {
			return broke("Failed to write plan file", err)
		}
		if len(made.Changes) > 0 || made.Outputs {
			return 2
		}
		return 0
	})
}

func sayRefreshed(state *tfState, given map[string]string) {
	if given["refresh"] == "false" {
		return
	}
	for _, each := range state.Resources {
		address := "terraform_data." + each.Name
		id := each.Instances[0].Attributes["id"]
		more := object{"id_key": "id", "id_value": id}
		sayHook("refresh_start", fmt.Sprintf("Refreshing state... [id=%v]", id), address, more)
		sayHook("refresh_complete", fmt.Sprintf("Refresh complete [id=%v]", id), address, more)
	}
}

func sayPlannedOutputs(state *tfState, made plan) {
	action := "noop"
	switch {
	case made.Destroy:
		action = "delete"
	case len(state.Outputs) == 0:
		action = "create"
	case made.Outputs:
		action = "update"
	}
	if made.Destroy && len(state.Outputs) == 0 || action == "noop" && len(made.Changes) == 0 {
		return
	}
	about := object{"sensitive": false, "action": action}
	say("info", "Outputs: 2", "outputs", object{"outputs": object{"access_file": about, "cluster_id": about}})
}

// variables are the values of the root in this folder, from its *.auto.tfvars.json.
func variables() (object, error) {
	text, err := os.ReadFile("main.tf")
	if err != nil || !strings.Contains(string(text), `resource "terraform_data" "control_plane"`) {
		return nil, fmt.Errorf("fastworld knows no other root than templates/local")
	}
	files, _ := filepath.Glob("*.auto.tfvars.json")
	sort.Strings(files)
	values := object{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &values)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, name := range required {
		if _, given := values[name]; !given {
			return nil, fmt.Errorf("the root module input variable %q is not set", name)
		}
	}
	return values, nil
}

func nodeCount(values object) float64 {
	total := 0.0
	pools, _ := values["nodes"].(object)
	for _, each := range pools {
		pool, _ := each.(object)
		for _, name := range []string{"count", "min"} {
			if number, ok := pool[name].(float64); ok {
				total += number
				break
			}
		}
	}
	return total
}

func text(values object, name string) string {
	found, _ := values[name].(string)
	return found
}

func outputsOf(values object) map[string]output {
	id := text(values, "cluster_id")
	file := text(values, "engine_home") + "/" + id + "/access.json"
	return map[string]output{"access_file": {Value: file, Type: "string"}, "cluster_id": {Value: id, Type: "string"}}
}

func triggers(values object, cluster string) object {
	return object{
		"cluster": cluster, "name": text(values, "cluster_name"), "nodes": nodeCount(values),
		"repository": text(values, "repository"),
	}
}

func triggersOf(found *instance) any {
	about, _ := found.Attributes["triggers_replace"].(object)
	return about["value"]
}

func planned(state *tfState, values object, destroy bool, replace []string) plan {
	made := plan{Destroy: destroy, Lineage: state.Lineage, Serial: state.Serial, Values: values, Changes: []change{}}
	cluster, plane := state.find(clusterAddress), state.find(planeAddress)
	if destroy {
		for _, address := range []string{planeAddress, clusterAddress} {
			if state.find(address) != nil {
				made.Changes = append(made.Changes, change{address, "delete", ""})
			}
		}
		made.Outputs = len(state.Outputs) > 0
		return made
	}
	made.Outputs = !reflect.DeepEqual(jsonOf(state.Outputs), jsonOf(outputsOf(values)))
	asked := func(address string) bool {
		for _, each := range replace {
			if each == address {
				return true
			}
		}
		return false
	}
	first := decide(cluster, clusterAddress, asked(clusterAddress), text(values, "cluster_id"))
	made.Changes = append(made.Changes, first...)
	id := ""
	if cluster != nil && len(first) == 0 {
		id, _ = cluster.Attributes["id"].(string)
	}
	made.Changes = append(made.Changes, decide(plane, planeAddress, asked(planeAddress), triggers(values, id))...)
	return made
}

func jsonOf(value any) any {
	data, _ := json.Marshal(value)
	var plain any
	_ = json.Unmarshal(data, &plain)
	return plain
}

func decide(found *instance, address string, asked bool, wanted any) []change {
	switch {
	case found == nil:
		return []change{{address, "create", ""}}
	case found.Status == "tainted":
		return []change{{address, "replace", "tainted"}}
	case !reflect.DeepEqual(triggersOf(found), jsonOf(wanted)):
		return []change{{address, "replace", "cannot_update"}}
	case asked:
		return []change{{address, "replace", "requested"}}
	}
	return nil
}

func counts(changes []change) (int, int) {
	add, remove := 0, 0
	for _, each := range changes {
		if each.Action != "delete" {
			add++
		}
		if each.Action != "create" {
			remove++
		}
	}
	return add, remove
}

// work is one apply; state is changed as the world is.
type work struct {
	store  *backend
	state  *tfState
	saving sync.Mutex
	failed bool
}

func tfApply(words []string, given map[string]string) int {
	if len(words) != 1 {
		sayVersion()
		sayError("fastworld applies saved plans only", "", nil)
		return 1
	}
	var made plan
	data, err := os.ReadFile(words[0])
	if err == nil {
		err = json.Unmarshal(data, &made)
	}
	if err != nil {
		sayVersion()
		return broke("Failed to load \""+words[0]+"\" as a plan file", err)
	}
	return locked("OperationTypeApply", given, func(store *backend) int {
		state, err := store.read()
		if err != nil {
			return broke("Failed to load state", err)
		}
		if state == nil {
			state = emptyState()
		}
		if state.Lineage != made.Lineage || state.Serial != made.Serial {
			sayError("Saved plan is stale", "The given plan file can no longer be applied because the state was "+
				"changed by another operation after the plan was created.", nil)
			return 1
		}
		return (&work{store: store, state: state}).carryOut(made)
	})
}

func (w *work) carryOut(made plan) int {
	for _, each := range made.Changes {
		sayPlanned(each)
	}
	if made.Outputs && !made.Destroy {
		w.state.Outputs = outputsOf(made.Values)
	}
	for _, each := range inOrder(made.Changes) {
		if stopping() {
			sayError("execution halted", "", nil)
			w.failed = true
		}
		if w.failed {
			break
		}
		if each.Action == "delete" {
			w.delete(each.Address)
		} else {
			w.create(each.Address, made.Values)
		}
	}
	if made.Destroy && !w.failed {
		w.state.Outputs = map[string]output{}
	}
	if !w.save() || w.failed {
		return 1
	}
	add, remove := counts(made.Changes)
	saySummary("apply", add, remove)
	w.sayOutputs()
	return 0
}

// inOrder: what depends goes first and comes last.
func inOrder(changes []change) []change {
	var gone, made []change
	for _, each := range changes {
		if each.Action != "create" {
			gone = append(gone, change{each.Address, "delete", ""})
		}
		if each.Action != "delete" {
			made = append(made, change{each.Address, "create", ""})
		}
	}
	sort.SliceStable(gone, func(i, j int) bool { return gone[i].Address > gone[j].Address })
	sort.SliceStable(made, func(i, j int) bool { return made[i].Address < made[j].Address })
	return append(gone, made...)
}

func (w *work) create(address string, values object) {
	began := time.Now()
	sayHook("apply_start", "Creating...", address, object{"action": "create"})
	id := newID()
	made := instance{Sensitive: []any{}, Attributes: object{"id": id}}
	if address == clusterAddress {
		same := object{"value": text(values, "cluster_id"), "type": "string"}
		made.Attributes["input"], made.Attributes["output"], made.Attributes["triggers_replace"] = same, same, same
	} else {
		cluster := w.state.find(clusterAddress)
		of, _ := cluster.Attributes["id"].(string)
		kinds := object{"cluster": "string", "name": "string", "nodes": "number", "repository": "string"}
		made.Attributes["input"], made.Attributes["output"] = nil, nil
		made.Attributes["triggers_replace"] = object{"value": triggers(values, of), "type": []any{"object", kinds}}
		made.Dependencies = []string{clusterAddress}
		ok := w.provision(address, "up", []string{
			"--id", text(values, "cluster_id"), "--name", text(values, "cluster_name"),
			"--repository", text(values, "repository"), "--nodes", strconv.Itoa(int(nodeCount(values))),
		})
		if !ok {
			made.Status = "tainted"
		}
	}
	w.saving.Lock()
	w.state.put(address, made)
	w.saving.Unlock()
	seconds := int(time.Since(began).Seconds())
	if made.Status == "tainted" {
		more := object{"action": "create", "elapsed_seconds": seconds}
		sayHook("apply_errored", fmt.Sprintf("Creation errored after %ds", seconds), address, more)
		return
	}
	sayHook("apply_complete", fmt.Sprintf("Creation complete after %ds [id=%s]", seconds, id), address, object{
		"action": "create", "id_key": "id", "id_value": id, "elapsed_seconds": seconds,
	})
	if at("tf.created") != nil {
		w.failed = true
	}
}

func (w *work) delete(address string) {
	began := time.Now()
	found := w.state.find(address)
	id := found.Attributes["id"]
	more := object{"action": "delete", "id_key": "id", "id_value": id}
	sayHook("apply_start", fmt.Sprintf("Destroying... [id=%v]", id), address, more)
	if address == clusterAddress && found.Status != "tainted" {
		input, _ := found.Attributes["input"].(object)
		name, _ := input["value"].(string)
		if !w.provision(address, "down", []string{"--id", name}) {
			seconds := int(time.Since(began).Seconds())
			sayHook("apply_errored", fmt.Sprintf("Destruction errored after %ds", seconds), address,
				object{"action": "delete", "elapsed_seconds": seconds})
			return
		}
	}
	w.saving.Lock()
	w.state.remove(address)
	w.saving.Unlock()
	seconds := int(time.Since(began).Seconds())
	sayHook("apply_complete", fmt.Sprintf("Destruction complete after %ds", seconds), address,
		object{"action": "delete", "elapsed_seconds": seconds})
}

// provision runs the engine as a process of its own, as local-exec does: it is killed when we are told to stop, and
// outlives us when we are killed.
func (w *work) provision(address, verb string, arguments []string) bool {
	about := object{"provisioner": "local-exec"}
	sayHook("provision_start", "Provisioning with 'local-exec'...", address, about)
	program, _ := os.Executable()
	command := exec.Command(program, append([]string{"engine", verb}, arguments...)...)
	sayProvisioner(address, fmt.Sprintf("Executing: %q", command.Args))
	reader, writer, _ := os.Pipe()
	command.Stdout, command.Stderr = writer, writer
	err := command.Start()
	_ = writer.Close()
	heard := ""
	if err == nil {
		heard, err = w.attend(command, reader, address)
	}
	if err != nil {
		sayHook("provision_errored", "(local-exec) Provisioning errored", address, about)
		sayError("local-exec provisioner error",
			fmt.Sprintf("Error running command 'karrots.engine %s': %v. Output: %s", verb, err, heard), object{
				"address": address, "range": placeOf(verb)})
		w.failed = true
		return false
	}
	sayHook("provision_complete", "(local-exec) Provisioning complete", address, about)
	return true
}

// attend hands on what the command says, a line at a time, until it has ended or we are told to stop.
func (w *work) attend(command *exec.Cmd, output *os.File, address string) (string, error) {
	heard := make(chan string, 1)
	go func() {
		lines := []string{}
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			sayProvisioner(address, scanner.Text())
			lines = append(lines, scanner.Text())
		}
		heard <- strings.Join(lines, "\n")
	}()
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		return <-heard, err
	case <-interruption:
		say("info", "Stopping operation...", "log", nil)
		w.saveOnTheWay()
		_ = command.Process.Kill()
		return "", <-ended
	}
}

// placeOf is where the provisioner stands in main.tf.
func placeOf(verb string) object {
	data, _ := os.ReadFile("main.tf")
	line, found := 0, 0
	for number, each := range strings.Split(string(data), "\n") {
		if strings.Contains(each, `provisioner "local-exec"`) {
			line = number + 1
		}
		if strings.Contains(each, "karrots.engine "+verb) {
			found = line
			break
		}
	}
	return object{"filename": "main.tf", "start": object{"line": found, "column": 28, "byte": 0},
		"end": object{"line": found, "column": 29, "byte": 1}}
}

// saveOnTheWay: Terraform sends what it has when it is told to stop, in case it does not get to the end.
func (w *work) saveOnTheWay() {
	w.saving.Lock()
	defer w.saving.Unlock()
	_ = w.store.write(w.state)
}

func (w *work) save() bool {
	w.saving.Lock()
	defer w.saving.Unlock()
	err := at("tf.post")
	if err == nil {
		err = w.store.write(w.state)
	}
	if err == nil {
		err = at("tf.posted")
	}
	if err == nil {
		return true
	}
	sayError("Failed to save state", "Error saving state: Failed to upload state: "+err.Error(), nil)
	if err := os.WriteFile(unsavedFile, w.state.encode(), 0o644); err != nil {
		sayError("Failed to create local state file", err.Error(), nil)
		return false
	}
	sayError("Failed to persist state to backend", "To allow for recovery, the state has been written to the file \""+
		unsavedFile+"\" in the current working directory.", nil)
	return false
}

func (w *work) sayOutputs() {
	values := object{}
	for name, each := range w.state.Outputs {
		values[name] = object{"sensitive": false, "type": each.Type, "value": each.Value}
	}
	say("info", fmt.Sprintf("Outputs: %d", len(values)), "outputs", object{"outputs": values})
}

func tfRead(verb string, words []string) int {
	state, err := newBackend().read()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	if state == nil {
		state = emptyState()
	}
	outputs := object{}
	for name, each := range state.Outputs {
		outputs[name] = object{"sensitive": false, "type": each.Type, "value": each.Value}
	}
	answer := outputs
	if verb == "show" {
		answer = object{"format_version": "1.0", "terraform_version": terraformVersion}
		if len(words) > 0 {
			answer["resource_changes"] = shownChanges(words[0])
		} else if state.Lineage != "" {
			answer["values"] = object{"outputs": outputs, "root_module": object{"resources": shownResources(state)}}
		}
	}
	data, _ := json.Marshal(answer)
	fmt.Println(string(data))
	return 0
}

func shownResources(state *tfState) []object {
	found := []object{}
	for _, each := range state.Resources {
		values := each.Instances[0].Attributes
		found = append(found, object{
			"address": "terraform_data." + each.Name, "mode": "managed", "type": each.Type, "name": each.Name,
			"provider_name": "terraform.io/builtin/terraform", "schema_version": 0, "values": values,
			"sensitive_values": object{},
		})
	}
	return found
}

func shownChanges(file string) []object {
	var made plan
	data, _ := os.ReadFile(file)
	_ = json.Unmarshal(data, &made)
	actions := map[string][]string{"create": {"create"}, "delete": {"delete"}, "replace": {"delete", "create"}}
	found := []object{}
	for _, each := range made.Changes {
		found = append(found, object{"address": each.Address, "change": object{"actions": actions[each.Action]}})
	}
	return found
}

func tfPush(words []string, given map[string]string) int {
	if len(words) != 2 || words[0] != "push" {
		return 127
	}
	pushed := emptyState()
	data, err := os.ReadFile(words[1])
	if err == nil {
		err = json.Unmarshal(data, pushed)
	}
	if err != nil {
		return broke("Failed to read the state", err)
	}
	return locked("state push", given, func(store *backend) int {
		here, err := store.read()
		if err != nil {
			return broke("Failed to load state", err)
		}
		if here != nil && (here.Lineage != pushed.Lineage || here.Serial > pushed.Serial) {
			sayError("Failed to write state", "cannot import state with another lineage or a lower serial", nil)
			return 1
		}
		if err := store.send(pushed, pushed.content()); err != nil {
			return broke("Failed to write state", err)
		}
		return 0
	})
}
