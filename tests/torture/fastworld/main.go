// Command fastworld stands in for Terraform and for the engine's programs in torture runs: it speaks the same
// protocols and keeps its world in files. What it is called as says what it is.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const terraformVersion = "1.11.4"

func main() {
	name := filepath.Base(os.Args[0])
	switch {
	case name == "terraform":
		os.Exit(terraform(os.Args[1:]))
	case len(os.Args) > 2 && os.Args[1] == "engine":
		os.Exit(engine(os.Args[2], os.Args[3:]))
	case len(os.Args) < 2 || !strings.Contains(os.Args[1], "="):
		// a probe: --version, --help, version --client
		fmt.Println(name, "of the fast world")
	case name == "kube-apiserver":
		os.Exit(serve(os.Args[0], flags(os.Args[1:])))
	default:
		os.Exit(idle(os.Args[0]))
	}
}

// flags reads -name=value and --name=value; a flag without a value is "true". Other words are left out.
func flags(words []string) map[string]string {
	found := map[string]string{}
	for _, word := range words {
		if !strings.HasPrefix(word, "-") {
			continue
		}
		name, value, given := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if !given {
			value = "true"
		}
		found[name] = value
	}
	return found
}

// repeated answers every value of a flag that may be given more than once.
func repeated(words []string, name string) []string {
	var found []string
	for _, word := range words {
		if value, ok := strings.CutPrefix(word, "-"+name+"="); ok {
			found = append(found, value)
		}
	}
	return found
}

// plain answers the words that are no flags.
func plain(words []string) []string {
	var found []string
	for _, word := range words {
		if !strings.HasPrefix(word, "-") {
			found = append(found, word)
		}
	}
	return found
}
