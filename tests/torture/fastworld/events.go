package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

type object = map[string]any

var sayLock sync.Mutex

// say writes one line of Terraform's machine-readable output.
func say(level, message, kind string, more object) {
	line := object{
		"@level": level, "@message": message, "@module": "terraform.ui",
		"@timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), "type": kind,
	}
	for name, value := range more {
		line[name] = value
	}
	data, _ := json.Marshal(line)
	sayLock.Lock()
	defer sayLock.Unlock()
	_, _ = os.Stdout.Write(append(data, '\n'))
}

func sayVersion() {
	say("info", "Terraform "+terraformVersion, "version", object{"terraform": terraformVersion, "ui": "1.2"})
}

func resourceOf(address string) object {
	name := address[len("terraform_data."):]
	return object{
		"addr": address, "module": "", "resource": address, "implied_provider": "terraform",
		"resource_type": "terraform_data", "resource_name": name, "resource_key": nil,
	}
}

func sayPlanned(c change) {
	about := object{"resource": resourceOf(c.Address), "action": c.Action}
	if c.Reason != "" {
		about["reason"] = c.Reason
	}
	say("info", fmt.Sprintf("%s: Plan to %s", c.Address, c.Action), "planned_change", object{"change": about})
}

func saySummary(operation string, add, remove int) {
	text := fmt.Sprintf("Plan: %d to add, 0 to change, %d to destroy.", add, remove)
	if operation == "apply" {
		text = fmt.Sprintf("Apply complete! Resources: %d added, 0 changed, %d destroyed.", add, remove)
	}
	say("info", text, "change_summary", object{"changes": object{
		"add": add, "change": 0, "import": 0, "remove": remove, "operation": operation,
	}})
}

func sayHook(kind, message, address string, more object) {
	hook := object{"resource": resourceOf(address)}
	for name, value := range more {
		hook[name] = value
	}
	level := "info"
	if kind == "apply_errored" {
		level = "error"
	}
	say(level, address+": "+message, kind, object{"hook": hook})
}

func sayProvisioner(address, text string) {
	sayHook("provision_progress", "(local-exec): "+text, address, object{"provisioner": "local-exec", "output": text})
}

func sayError(summary, detail string, more object) {
	about := object{"severity": "error", "summary": summary, "detail": detail}
	for name, value := range more {
		about[name] = value
	}
	say("error", "Error: "+summary, "diagnostic", object{"diagnostic": about})
}
