package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func ruleOf(t *testing.T, text string) *rule {
	t.Helper()
	var made rule
	must(t, json.Unmarshal([]byte(text), &made))
	return &made
}

// said is what the rules say of a configuration: the attribute's path, a colon, summary and detail.
func said(t *testing.T, rules, configuration string) []string {
	t.Helper()
	of := everythingShape(t)
	var table *rule
	if rules != "" {
		table = ruleOf(t, rules)
	}
	problems, err := checked(table, of.fields, object(t, of, configuration))
	must(t, err)
	var lines []string
	for _, each := range problems {
		lines = append(lines, each.Attribute.String()+": "+each.Summary+": "+each.Detail)
	}
	return lines
}

func TestRulesFindAndLetPass(t *testing.T) {
	for _, each := range []struct{ name, rules, good, bad, says string }{
		{"read-only", ``, `{"name": "a"}`, `{"name": "a", "arn": "b"}`, `AttributeName("arn"): Value for unconfigurable`},
		{
			"read-only in a set", ``, `{"network": [{"rule": [{"port": 1}]}]}`,
			`{"network": [{"rule": [{"port": 1, "rule_id": "x"}]}]}`,
			`AttributeName("network").ElementKeyInt(0).AttributeName("rule"): Value for unconfigurable`,
		},
		{"deprecated", ``, `{"name": "a"}`, `{"old": true}`, `AttributeName("old"): Deprecated argument`},
		{
			"allowed", `{"allowed": {"zone": ["a", "b"]}}`, `{"zone": "b"}`, `{"zone": "c"}`,
			`AttributeName("zone"): Value not allowed: "zone" is "c"; allowed are: a, b.`,
		},
		{
			"allowed elements", `{"allowed": {"groups": ["a", "b"]}}`, `{"groups": ["a"]}`, `{"groups": ["a", "z"]}`,
			`"groups" is "z"`,
		},
		{
			"allowed numbers", `{"allowed": {"size": ["1", "30"]}}`, `{"size": 30}`, `{"size": 31}`, `"size" is "31"`,
		},
		{
			"form", `{"form": {"network.name": {"pattern": "^[a-z]+$", "words": "small letters"}}}`,
			`{"network": [{"name": "abc"}]}`, `{"network": [{"name": "ABC"}]}`,
			`AttributeName("network").ElementKeyInt(0).AttributeName("name"): Value of the wrong form: ` +
				`"network.name" is "ABC"; it must be small letters.`,
		},
		{
			"between", `{"between": {"network.rule.port": [1, 65535]}}`, `{"network": [{"rule": [{"port": 443}]}]}`,
			`{"network": [{"rule": [{"port": 70000}]}]}`, `"network.rule.port" is 70000; it must be from 1 to 65535.`,
		},
		{
			"conflicts", `{"conflicts": [["name", "zone"]]}`, `{"name": "a"}`, `{"name": "a", "zone": "b"}`,
			`Conflicting arguments: only one of "name", "zone" can be set.`,
		},
		{
			"exactly one of blocks and attributes", `{"exactly_one": [["network", "zone"]]}`, `{"zone": "b"}`, `{}`,
			`Invalid combination of arguments: exactly one of "network", "zone" must be set, and 0 are.`,
		},
		{
			"exactly one in each block", `{"exactly_one": [["network.name", "network.range"]]}`, `{}`,
			`{"network": [{"name": "a"}, {"name": "a", "range": "b"}]}`, `AttributeName("network").ElementKeyInt(1)`,
		},
		{
			"at least one", `{"at_least_one": [["zone", "size"]]}`, `{"size": 1}`, `{}`,
			`Missing argument: one of "zone", "size" must be set.`,
		},
		{
			"together", `{"together": [["zone", "size"]]}`, `{"size": 1, "zone": "a"}`, `{"size": 1}`, `"zone" is not set`,
		},
		{
			"when with", `{"when": [{"if": {"zone": "a"}, "with": ["network.range"]}]}`,
			`{"zone": "a", "network": [{"range": "x"}]}`, `{"zone": "a"}`, `"network.range" must be set where "zone" is "a".`,
		},
		{
			"when without", `{"when": [{"if": {"old": "true"}, "without": ["network"]}]}`, `{"network": [{}]}`,
			`{"old": true, "network": [{}]}`, `"network" must not be set where "old" is "true".`,
		},
		{
			"when then", `{"when": [{"if": {"zone": "*"}, "then": {"old": "false"}}]}`, `{"old": true}`,
			`{"zone": "x", "old": true}`, `"old" must be "false" where "zone" is "*".`,
		},
		{
			"when nothing", `{"when": [{"if": {"zone": ""}, "with": ["size"]}]}`, `{"zone": "a"}`, `{}`,
			`"size" must be set where "zone" is "".`,
		},
	} {
		t.Run(each.name, func(t *testing.T) {
			for _, line := range said(t, each.rules, each.good) {
				if !strings.Contains(line, "Deprecated") {
					t.Errorf("of what is right: %s", line)
				}
			}
			found := said(t, each.rules, each.bad)
			if !slices.ContainsFunc(found, func(line string) bool { return strings.Contains(line, each.says) }) {
				t.Errorf("not said: %s\nbut: %s", each.says, found)
			}
		})
	}
}

func TestARuleNamesItsSource(t *testing.T) {
	found := said(t, `{"source": "https://example.com/docs", "allowed": {"zone": ["a"]}}`, `{"zone": "b"}`)
	if len(found) != 1 || !strings.HasSuffix(found[0], "See https://example.com/docs") {
		t.Fatal(found)
	}
}

func TestWhatIsUnknownBreaksNoRule(t *testing.T) {
	of := everythingShape(t)
	rules := ruleOf(t, `{"allowed": {"zone": ["a"]}, "conflicts": [["zone", "name"]], "exactly_one": [["zone", "size"]],
		"when": [{"if": {"name": "a"}, "with": ["zone"], "then": {"zone": "a"}}]}`)
	known := object(t, of, `{"name": "a"}`)
	unknown, err := edited(of.fields, known, root(), func(f *field, at place, v tftypes.Value) (tftypes.Value, error) {
		if at.dotted == "zone" {
			return tftypes.NewValue(f.kind, tftypes.UnknownValue), nil
		}
		return v, nil
	})
	must(t, err)
	problems, err := checked(rules, of.fields, unknown)
	must(t, err)
	for _, each := range problems {
		if each.Severity == tfprotov6.DiagnosticSeverityError {
			t.Error(each.Summary, each.Detail)
		}
	}
}

func TestWhatMakesAnObjectAnew(t *testing.T) {
	of := everythingShape(t)
	rules := ruleOf(t, `{"new": ["name", "network.range", "zone"]}`)
	before := object(t, of, `{"name": "a", "size": 1, "network": [{"range": "x", "name": "n"}]}`)
	for text, wanted := range map[string]int{
		`{"name": "a", "size": 2, "network": [{"range": "x", "name": "m"}]}`: 0,
		`{"name": "b", "size": 1, "network": [{"range": "x", "name": "n"}]}`: 1,
		`{"name": "b", "size": 1, "network": [{"range": "y", "name": "n"}]}`: 2,
		`{"name": "a", "size": 1, "network": []}`:                            1,
		`{"name": "a", "zone": "was nothing", "network": [{"range": "x"}]}`:  0,
	} {
		if found := rules.replacements(of.fields, before, object(t, of, text)); len(found) != wanted {
			t.Errorf("%s: %v", text, found)
		}
	}
	var none *rule
	if found := none.replacements(of.fields, before, before); found != nil {
		t.Error(found)
	}
}
