package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// answerer makes up what a cloud would answer: the same for the same seed, and of a form that functions of Terraform
// (base64decode, split, cidrsubnet, jsondecode) can work with.
type answerer struct {
	provider string            // aws, google, azurerm …
	kind     string            // the resource type
	settings map[string]string // region, project … of the provider's configuration
	known    map[string]string // the resource's own texts: name, location …
	seed     string
	given    map[string]json.RawMessage // from the table of rules, by dotted place
}

// account is nobody's: AWS keeps it for examples.
const (
	account = "123456789012"
	moment  = "2026-01-01T00:00:00Z"
	address = "203.0.113.10" // RFC 5737
	ranges  = "10.0.0.0/16"
)

// answer for a place whose value is not known.
func (a *answerer) answer(dotted string, kind tftypes.Type) (tftypes.Value, error) {
	if given, ok := a.given[dotted]; ok {
		return a.fromTable(dotted, given, kind)
	}
	switch kind := kind.(type) {
	case tftypes.Object:
		return a.object(dotted, kind)
	case tftypes.List:
		return a.one(dotted, kind, kind.ElementType)
	case tftypes.Set:
		return a.one(dotted, kind, kind.ElementType)
	case tftypes.Map:
		return made(kind, map[string]tftypes.Value{})
	case tftypes.Tuple:
		return a.tuple(dotted, kind)
	}
	switch {
	case kind.Is(tftypes.Number):
		return made(kind, a.number(last(dotted)))
	case kind.Is(tftypes.Bool):
		return made(kind, false)
	}
	return made(tftypes.String, a.text(dotted)) // a text will do for a dynamic type too
}

func (a *answerer) fromTable(dotted string, given json.RawMessage, kind tftypes.Type) (tftypes.Value, error) {
	// Inside of JSON text: what is put in has no character that would need an escape, names of resources included.
	filled := strings.NewReplacer(
		"{hex}", a.hash(dotted)[:17], "{guid}", a.guid(dotted), "{account}", account, "{region}", a.region(),
		"{project}", a.setting("project", "rehearsal"), "{name}", a.name(dotted),
	).Replace(string(given))
	value, err := tfprotov6.RawState{JSON: []byte(filled)}.Unmarshal(kind)
	if err != nil {
		return value, fmt.Errorf("the answer for %s does not fit: %w", dotted, err)
	}
	return value, nil
}

func (a *answerer) object(dotted string, kind tftypes.Object) (tftypes.Value, error) {
	values := map[string]tftypes.Value{}
	for name, inside := range kind.AttributeTypes {
		value, err := a.answer(dotted+"."+name, inside)
		if err != nil {
			return value, err
		}
		values[name] = value
	}
	return made(kind, values)
}

func (a *answerer) one(dotted string, kind, inside tftypes.Type) (tftypes.Value, error) {
	value, err := a.answer(dotted, inside)
	if err != nil {
		return value, err
	}
	return made(kind, []tftypes.Value{value})
}

func (a *answerer) tuple(dotted string, kind tftypes.Tuple) (tftypes.Value, error) {
	values := make([]tftypes.Value, len(kind.ElementTypes))
	for index, inside := range kind.ElementTypes {
		value, err := a.answer(dotted, inside)
		if err != nil {
			return value, err
		}
		values[index] = value
	}
	return made(kind, values)
}

func (a *answerer) number(name string) int64 {
	if strings.HasSuffix(name, "port") {
		return 443
	}
	return 1
}

// text by what the attribute's name says.
func (a *answerer) text(dotted string) string {
	name := last(dotted)
	switch {
	case name == "id" && !strings.Contains(dotted, "."):
		return a.id(dotted)
	case isCertificate(dotted):
		return certificate64()
	case name == "arn" || strings.HasSuffix(name, "_arn"):
		return a.arn(dotted)
	case a.provider == "azurerm" && isGuid(name):
		return a.guid(dotted)
	}
	for _, form := range forms {
		for _, part := range form.names {
			if name == part || strings.HasSuffix(name, "_"+part) {
				return form.text(a, dotted)
			}
		}
	}
	if a.provider == "aws" && strings.HasSuffix(name, "_id") {
		return last(strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", ".")) + "-" + a.hash(dotted)[:17]
	}
	return "rehearsal-" + a.hash(dotted)[:12]
}

func isCertificate(dotted string) bool {
	name := last(dotted)
	return dotted == "certificate_authority.data" || strings.HasSuffix(name, "ca_certificate") ||
		strings.HasSuffix(name, "ca_data") || name == "client_certificate" || name == "client_key"
}

func isGuid(name string) bool {
	switch name {
	case "tenant_id", "client_id", "object_id", "principal_id", "subscription_id":
		return true
	}
	return false
}

// forms: the first that fits the end of an attribute's name counts.
var forms = []struct {
	names []string
	text  func(a *answerer, dotted string) string
}{
	{[]string{"account_id", "owner_id", "account", "owner"}, func(*answerer, string) string { return account }},
	{[]string{"region", "location"}, func(a *answerer, _ string) string { return a.region() }},
	{[]string{"project", "project_id"}, func(a *answerer, _ string) string { return a.setting("project", "rehearsal") }},
	{[]string{"endpoint", "url", "uri", "issuer", "host"}, func(a *answerer, dotted string) string {
		return "https://" + a.hash(dotted)[:12] + ".example.com"
	}},
	{[]string{"self_link"}, func(a *answerer, _ string) string {
		return "https://www.googleapis.com/compute/v1/" + a.googleID("self_link")
	}},
	{[]string{"fqdn", "dns_name", "hostname", "domain_name", "domain", "dns"}, func(a *answerer, dotted string) string {
		return a.hash(dotted)[:12] + ".example.com"
	}},
	{[]string{"cidr", "cidr_block", "cidr_range", "ip_range", "range"}, func(*answerer, string) string { return ranges }},
	{[]string{"ip", "ip_address", "address", "gateway_address"}, func(*answerer, string) string { return address }},
	{[]string{"email"}, func(a *answerer, dotted string) string {
		return a.name(dotted) + "@" + a.setting("project", "rehearsal") + ".iam.gserviceaccount.com"
	}},
	{[]string{"member"}, func(a *answerer, dotted string) string {
		return "serviceAccount:" + a.name(dotted) + "@" + a.setting("project", "rehearsal") + ".iam.gserviceaccount.com"
	}},
	{[]string{"time", "timestamp", "date", "created_at", "modified_at", "expiry"}, func(*answerer, string) string {
		return moment
	}},
	{[]string{"json", "policy"}, func(*answerer, string) string { return "{}" }},
	{[]string{"thumbprint", "fingerprint", "sha1"}, func(a *answerer, dotted string) string {
		return (a.hash(dotted) + a.hash(dotted+"+") + a.hash(dotted+"++"))[:40]
	}},
	{[]string{"status", "state"}, func(*answerer, string) string { return "ACTIVE" }},
	{[]string{"version"}, func(*answerer, string) string { return "1" }},
}

// id as the provider's own ids look.
func (a *answerer) id(dotted string) string {
	switch a.provider {
	case "azurerm":
		parts := strings.SplitN(a.kind, "_", 2)
		return "/subscriptions/" + a.setting("subscription_id", a.guid("subscription")) + "/resourceGroups/" +
			a.group() + "/providers/Microsoft.Rehearsal/" + parts[len(parts)-1] + "/" + a.name(dotted)
	case "google":
		return a.googleID(dotted)
	}
	return last(strings.ReplaceAll(a.kind, "_", ".")) + "-" + a.hash(dotted)[:17]
}

func (a *answerer) group() string {
	if group := a.known["resource_group_name"]; group != "" {
		return group
	}
	return a.name("group")
}

func (a *answerer) googleID(dotted string) string {
	where := "global"
	for _, part := range []string{"location", "zone", "region"} {
		if found := a.known[part]; found != "" {
			where = part + "s/" + found
		}
	}
	return "projects/" + a.setting("project", "rehearsal") + "/" + where + "/" + last(strings.ReplaceAll(a.kind, "_", ".")) +
		"s/" + a.name(dotted)
}

func (a *answerer) arn(dotted string) string {
	parts := append(strings.Split(a.kind, "_"), "rehearsal", "thing")
	return "arn:aws:" + parts[1] + ":" + a.region() + ":" + account + ":" + parts[len(parts)-3] + "/" + a.name(dotted)
}

func (a *answerer) region() string {
	return a.setting("region", a.setting("location", "eu-central-1"))
}

func (a *answerer) name(dotted string) string {
	for _, part := range []string{"name", "account_id", "bucket", "cluster_name"} {
		if found := a.known[part]; found != "" {
			return found
		}
	}
	return "rehearsal-" + a.hash(dotted)[:12]
}

// setting: of the resource, or of its provider's configuration.
func (a *answerer) setting(name, otherwise string) string {
	for _, texts := range []map[string]string{a.known, a.settings} {
		if found := texts[name]; found != "" {
			return found
		}
	}
	return otherwise
}

func (a *answerer) hash(dotted string) string {
	sum := fnv.New128a()
	_, _ = sum.Write([]byte(a.kind + "\x00" + a.seed + "\x00" + dotted))
	return hex.EncodeToString(sum.Sum(nil))
}

func (a *answerer) guid(dotted string) string {
	h := a.hash(dotted)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}

func last(dotted string) string { return dotted[strings.LastIndex(dotted, ".")+1:] }

// texts are the plain texts of an object, by name.
func texts(object tftypes.Value) map[string]string {
	values := map[string]tftypes.Value{}
	found := map[string]string{}
	if object.IsNull() || !object.IsKnown() || object.As(&values) != nil {
		return found
	}
	for name, value := range values {
		if said, ok := text(value); ok && said != "" {
			found[name] = said
		}
	}
	return found
}
