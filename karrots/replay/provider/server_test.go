package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

var ctx = context.Background()

func playing(t *testing.T, rules string) *player {
	t.Helper()
	recorded := `{"provider": {"block": {
	    "attributes": {"region": {"type": "string", "optional": true}},
	    "block_types": {"default_tags": {"nesting_mode": "list", "block": {"attributes": {
	      "tags": {"type": ["map", "string"], "optional": true}}}}}
	  }},
	  "resource_schemas": {"aws_thing": ` + everything + `},
	  "data_source_schemas": {"aws_thing": ` + everything + `},
	  "ephemeral_resource_schemas": {"aws_secret": ` + everything + `},
	  "functions": {"arn_parse": {"return_type": ["object", {"account_id": "string"}],
	    "parameters": [{"name": "arn", "type": "string"}], "variadic_parameter": {"name": "more", "type": "number"}}}}`
	var provider recordedProvider
	must(t, json.Unmarshal([]byte(recorded), &provider))
	var tables table
	must(t, json.Unmarshal([]byte(rules), &tables))
	made, err := newPlayer("aws", provider, tables)
	must(t, err)
	configuration := object(t, made.provider, `{"region": "eu-west-1", "default_tags": [{"tags": {"team": "shop"}}]}`)
	wrapped, err := dynamic(made.provider, configuration)
	must(t, err)
	_, err = made.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{Config: wrapped})
	must(t, err)
	return made
}

func (p *player) wrap(t *testing.T, value tftypes.Value) *tfprotov6.DynamicValue {
	t.Helper()
	wrapped, err := dynamic(p.resources["aws_thing"], value)
	must(t, err)
	return wrapped
}

func (p *player) unwrap(t *testing.T, value *tfprotov6.DynamicValue) tftypes.Value {
	t.Helper()
	found, err := value.Unmarshal(p.resources["aws_thing"].kind)
	must(t, err)
	return found
}

// made plans and applies a new thing, as Terraform does.
func (p *player) made(t *testing.T, configuration string) (planned, state tftypes.Value) {
	t.Helper()
	of := p.resources["aws_thing"]
	wanted, nothing := object(t, of, configuration), tftypes.NewValue(of.kind, nil)
	plan, err := p.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: "aws_thing", PriorState: p.wrap(t, nothing), ProposedNewState: p.wrap(t, wanted), Config: p.wrap(t, wanted),
	})
	must(t, err)
	applied, err := p.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: "aws_thing", PriorState: p.wrap(t, nothing), PlannedState: plan.PlannedState, Config: p.wrap(t, wanted),
	})
	must(t, err)
	return p.unwrap(t, plan.PlannedState), p.unwrap(t, applied.NewState)
}

func at(t *testing.T, p *player, object tftypes.Value, dotted string) tftypes.Value {
	t.Helper()
	values := found(p.resources["aws_thing"].fields, element{root(), object}, dotted)
	if len(values) == 0 {
		t.Fatalf("nothing at %s", dotted)
	}
	return values[0].value
}

const whole = `{
  "name": "a", "password": "hush", "anything": {"type": "string", "value": "x"}, "tags": {"own": "1"},
  "groups": ["x", "y"], "pools": [{"label": "p"}], "by_key": {"k": {}},
  "network": [{"range": "r", "rule": [{"port": 1}, {"port": 2}]}], "disk": {"d": {"gb": 3}}, "timeouts": {"create": "1h"}
}`

func TestAPlanKnowsWhatIsWrittenAndNothingElse(t *testing.T) {
	p := playing(t, `{}`)
	planned, _ := p.made(t, whole)
	for _, dotted := range []string{
		"id", "arn", "zone", "anything_read", "certificate_authority", "pools.uid", "by_key.value", "network.vpc_id",
		"network.rule.rule_id",
	} {
		if at(t, p, planned, dotted).IsKnown() {
			t.Errorf("%s is known before it is made", dotted)
		}
	}
	for _, dotted := range []string{"name", "anything", "groups", "pools.label", "network.range", "disk.gb", "tags_all"} {
		if !at(t, p, planned, dotted).IsFullyKnown() {
			t.Errorf("%s is written, and not known", dotted)
		}
	}
	if !at(t, p, planned, "password").IsNull() {
		t.Error("a write-only value stays in the plan")
	}
}

func TestWhatIsMadeIsKnownWholly(t *testing.T) {
	p := playing(t, `{}`)
	planned, state := p.made(t, whole)
	if !state.IsFullyKnown() {
		t.Fatal("something is still unknown")
	}
	if !at(t, p, state, "password").IsNull() {
		t.Error("a write-only value is in the state")
	}
	// What the plan promised is kept.
	must(t, visited(p.resources["aws_thing"].fields, planned, func(f *field, place place, value tftypes.Value) {
		if f.fields == nil && value.IsFullyKnown() && !place.inSet && f.nesting == "" && !strings.Contains(place.dotted, ".") {
			if !at(t, p, state, place.dotted).Equal(value) {
				t.Errorf("%s was promised otherwise", place.dotted)
			}
		}
	}))
	tags := map[string]tftypes.Value{}
	must(t, at(t, p, state, "tags_all").As(&tags))
	if len(tags) != 2 {
		t.Errorf("tags_all is %v", tags)
	}
}

func TestAnswersHaveTheFormOfTheirNames(t *testing.T) {
	p := playing(t, `{"resources": {"aws_thing": {"answers": {"zone": "{region}a/{account}/{name}"}}}}`)
	_, state := p.made(t, `{"name": "a"}`)
	text := func(dotted string) string {
		said, _ := text(at(t, p, state, dotted))
		return said
	}
	if !strings.HasPrefix(text("id"), "thing-") || !strings.HasPrefix(text("arn"), "arn:aws:thing:eu-west-1:") {
		t.Errorf("id %q, arn %q", text("id"), text("arn"))
	}
	if text("zone") != "eu-west-1a/123456789012/a" {
		t.Errorf("zone %q", text("zone"))
	}
	var authorities []tftypes.Value
	must(t, at(t, p, state, "certificate_authority").As(&authorities))
	authority := map[string]tftypes.Value{}
	must(t, authorities[0].As(&authority))
	var encoded string
	must(t, authority["data"].As(&encoded))
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	must(t, err)
	block, _ := pem.Decode(decoded)
	if block == nil {
		t.Fatal("no PEM in it")
	}
	found, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	if !found.IsCA {
		t.Error("it is no CA")
	}
}

func TestTwoThingsAreTwo(t *testing.T) {
	p := playing(t, `{}`)
	_, one := p.made(t, `{"name": "a"}`)
	_, other := p.made(t, `{"name": "a"}`)
	if at(t, p, one, "id").Equal(at(t, p, other, "id")) {
		t.Error("both have one id")
	}
}

func TestASecondPlanIsClean(t *testing.T) {
	p := playing(t, `{"resources": {"aws_thing": {"new": ["name", "zone"]}}}`)
	_, state := p.made(t, whole)
	plan, err := p.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: "aws_thing", PriorState: p.wrap(t, state), ProposedNewState: p.wrap(t, state), Config: p.wrap(t, state),
	})
	must(t, err)
	if !p.unwrap(t, plan.PlannedState).Equal(state) || plan.RequiresReplace != nil {
		t.Error("it would change something")
	}
	read, err := p.ReadResource(ctx, &tfprotov6.ReadResourceRequest{TypeName: "aws_thing", CurrentState: p.wrap(t, state)})
	must(t, err)
	if !p.unwrap(t, read.NewState).Equal(state) {
		t.Error("it is read otherwise than it was written")
	}
}

func TestRemoval(t *testing.T) {
	p := playing(t, `{}`)
	_, state := p.made(t, whole)
	nothing := p.wrap(t, tftypes.NewValue(p.resources["aws_thing"].kind, nil))
	plan, err := p.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: "aws_thing", PriorState: p.wrap(t, state), ProposedNewState: nothing, Config: nothing,
	})
	must(t, err)
	applied, err := p.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: "aws_thing", PriorState: p.wrap(t, state), PlannedState: plan.PlannedState, Config: nothing,
	})
	must(t, err)
	if !p.unwrap(t, applied.NewState).IsNull() {
		t.Error("something is left")
	}
}

func TestImport(t *testing.T) {
	p := playing(t, `{}`)
	imported, err := p.ImportResourceState(ctx, &tfprotov6.ImportResourceStateRequest{TypeName: "aws_thing", ID: "thing-1"})
	must(t, err)
	state := p.unwrap(t, imported.ImportedResources[0].State)
	if id, _ := text(at(t, p, state, "id")); id != "thing-1" {
		t.Errorf("id %q", id)
	}
	if at(t, p, state, "arn").IsNull() || !at(t, p, state, "name").IsNull() {
		t.Error("what the cloud decides is known after an import, and what people write is not")
	}
}

func TestDataSourcesAnswerTheSameEachTime(t *testing.T) {
	p := playing(t, `{"data": {"aws_thing": {"answers": {"groups": ["a", "b"]}}}}`)
	question := p.wrap(t, object(t, p.data["aws_thing"], `{"name": "a"}`))
	var answers [2]tftypes.Value
	for index := range answers {
		read, err := p.ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{TypeName: "aws_thing", Config: question})
		must(t, err)
		answers[index] = p.unwrap(t, read.State)
	}
	if !answers[0].Equal(answers[1]) || !answers[0].IsFullyKnown() || at(t, p, answers[0], "id").IsNull() {
		t.Error("a second look finds something else")
	}
}

func TestAStateOfAnotherVersionIsReadAsFarAsItGoes(t *testing.T) {
	p := playing(t, `{}`)
	raw := &tfprotov6.RawState{JSON: []byte(`{"name": "a", "gone_since": 1}`)}
	upgraded, err := p.UpgradeResourceState(ctx, &tfprotov6.UpgradeResourceStateRequest{TypeName: "aws_thing", RawState: raw})
	must(t, err)
	if name, _ := text(at(t, p, p.unwrap(t, upgraded.UpgradedState), "name")); name != "a" {
		t.Errorf("name %q", name)
	}
}

func TestEphemeralResourcesAndFunctions(t *testing.T) {
	p := playing(t, `{}`)
	opened, err := p.OpenEphemeralResource(ctx, &tfprotov6.OpenEphemeralResourceRequest{
		TypeName: "aws_secret", Config: p.wrap(t, object(t, p.ephemeral["aws_secret"], `{"name": "a"}`)),
	})
	must(t, err)
	if at(t, p, p.unwrap(t, opened.Result), "arn").IsNull() {
		t.Error("nothing was opened")
	}
	argument, err := tfprotov6.NewDynamicValue(tftypes.String, tftypes.NewValue(tftypes.String, "arn:aws:iam::1:role/x"))
	must(t, err)
	called, err := p.CallFunction(ctx, &tfprotov6.CallFunctionRequest{Name: "arn_parse", Arguments: []*tfprotov6.DynamicValue{&argument}})
	must(t, err)
	result, err := called.Result.Unmarshal(p.functions["arn_parse"].Return.Type)
	must(t, err)
	if !result.IsFullyKnown() {
		t.Error("the function answers nothing")
	}
}

func TestAnUnknownTypeIsAnError(t *testing.T) {
	p := playing(t, `{}`)
	_, err := p.ValidateResourceConfig(ctx, &tfprotov6.ValidateResourceConfigRequest{TypeName: "aws_other"})
	if err == nil || !strings.Contains(err.Error(), "aws_other") {
		t.Error(err)
	}
}

func TestTheRecordingOfOneProviderIsLoaded(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		must(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	write("schema.json", `{"provider_schemas": {"registry.terraform.io/hashicorp/aws": {"provider": {"block": {}}}}}`)
	address, made, err := load(folder, "aws")
	must(t, err)
	if address != "registry.terraform.io/hashicorp/aws" || made.name != "aws" {
		t.Error(address)
	}
	if _, _, err := load(folder, "google"); err == nil || !strings.Contains(err.Error(), "google") {
		t.Error(err)
	}
	write("rules.json", "{")
	if _, _, err := load(folder, "aws"); err == nil || !strings.Contains(err.Error(), "rules.json") {
		t.Error(err)
	}
	if err := serve(filepath.Join(folder, "something-else")); err == nil {
		t.Error("it serves under any name")
	}
}
