// Plays a Terraform provider from a recording of its schema, `terraform providers schema -json`.
//
// Which provider it is, its file name says; the recording (schema.json) and the table of rules (rules.json) lie in the
// same folder. It needs no network and no credentials, and keeps nothing but what Terraform keeps for it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

var fileName = regexp.MustCompile(`terraform-provider-([a-z0-9-]+)_v[^/]+$`)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		fmt.Println("terraform-provider-replay, protocol 6")
		return
	}
	if err := serve(os.Args[0]); err != nil {
		fmt.Fprintln(os.Stderr, "terraform-provider-replay:", err)
		os.Exit(1)
	}
}

// serve plays the provider that the program was called as. Terraform starts it by its path, which is a link.
func serve(calledAs string) error {
	name := fileName.FindStringSubmatch(calledAs)
	if name == nil {
		return errors.New("its file must be called terraform-provider-<name>_v<version>")
	}
	address, made, err := load(filepath.Dir(calledAs), name[1])
	if err != nil {
		return err
	}
	return tf6server.Serve(address, func() tfprotov6.ProviderServer { return made })
}

// load reads the recording of the provider of that name, and its address.
func load(folder, name string) (string, *player, error) {
	var recorded recording
	var rules table
	if err := read(filepath.Join(folder, "schema.json"), &recorded); err != nil {
		return "", nil, err
	}
	if err := read(filepath.Join(folder, "rules.json"), &rules); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	for address, provider := range recorded.Providers {
		if filepath.Base(address) == name {
			made, err := newPlayer(name, provider, rules)
			return address, made, err
		}
	}
	return "", nil, fmt.Errorf("the recording has no provider %q", name)
}

func read(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
