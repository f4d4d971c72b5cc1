package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// table is what no schema says (karrots/replay/rules.yaml, where each kind of rule is explained).
type table struct {
	Resources map[string]*rule `json:"resources"`
	Data      map[string]*rule `json:"data"`
}

// rule is about one type; places in it are dotted, without indexes.
type rule struct {
	Source     string                     `json:"source"`
	Allowed    map[string][]string        `json:"allowed"`
	Form       map[string]form            `json:"form"`
	Between    map[string][2]float64      `json:"between"`
	Conflicts  [][]string                 `json:"conflicts"`
	ExactlyOne [][]string                 `json:"exactly_one"`
	AtLeastOne [][]string                 `json:"at_least_one"`
	Together   [][]string                 `json:"together"`
	When       []condition                `json:"when"`
	New        []string                   `json:"new"`
	Answers    map[string]json.RawMessage `json:"answers"`
}

// form is a regular expression and the same in words.
type form struct {
	Pattern *pattern `json:"pattern"`
	Words   string   `json:"words"`
}

type pattern struct{ *regexp.Regexp }

func (p *pattern) UnmarshalText(text []byte) error {
	compiled, err := regexp.Compile(string(text))
	p.Regexp = compiled
	return err
}

// condition: where all of If are so, With must be set, Without must not be, and Then must be so.
type condition struct {
	If      map[string]string `json:"if"`
	With    []string          `json:"with"`
	Without []string          `json:"without"`
	Then    map[string]string `json:"then"`
}

// configuration is one resource as it is written, with what the rules find in it.
type configuration struct {
	rule     *rule
	fields   []*field
	object   tftypes.Value
	problems []*tfprotov6.Diagnostic
}

// checked are the problems of a configuration; `rules` may be nil.
func checked(rules *rule, fields []*field, object tftypes.Value) ([]*tfprotov6.Diagnostic, error) {
	c := &configuration{rule: rules, fields: fields, object: object}
	if err := visited(fields, object, c.look); err != nil {
		return nil, err
	}
	if rules != nil {
		c.compare()
	}
	return c.problems, nil
}

func (c *configuration) look(f *field, at place, value tftypes.Value) {
	if f.isReadOnly() && !value.IsNull() {
		c.refuse(at, "Value for unconfigurable attribute",
			fmt.Sprintf("Can't configure a value for %q: its value will be decided automatically.", at.dotted))
	}
	if f.deprecated && isSet(value) {
		c.problems = append(c.problems, &tfprotov6.Diagnostic{
			Severity: tfprotov6.DiagnosticSeverityWarning, Summary: "Deprecated argument",
			Detail: fmt.Sprintf("%q is deprecated.", at.dotted), Attribute: at.path,
		})
	}
	if c.rule != nil {
		c.lookAtParts(at, value)
	}
}

// lookAtParts holds the value against the rules of its place, each element of a collection of plain values by itself.
func (c *configuration) lookAtParts(at place, value tftypes.Value) {
	var parts []tftypes.Value
	isMany := value.Type() != nil && (value.Type().Is(tftypes.List{}) || value.Type().Is(tftypes.Set{}))
	if !isMany || value.IsNull() || !value.IsKnown() || value.As(&parts) != nil {
		parts = []tftypes.Value{value}
	}
	for _, part := range parts {
		if found, ok := text(part); ok {
			c.lookAtText(at, found)
		}
	}
}

func (c *configuration) lookAtText(at place, found string) {
	if allowed, ruled := c.rule.Allowed[at.dotted]; ruled && !slices.Contains(allowed, found) {
		c.refuse(at, "Value not allowed",
			fmt.Sprintf("%q is %q; allowed are: %s.", at.dotted, found, strings.Join(allowed, ", ")))
	}
	if form, ruled := c.rule.Form[at.dotted]; ruled && !form.Pattern.MatchString(found) {
		c.refuse(at, "Value of the wrong form", fmt.Sprintf("%q is %q; it must be %s.", at.dotted, found, form.Words))
	}
	if between, ruled := c.rule.Between[at.dotted]; ruled {
		number, err := strconv.ParseFloat(found, 64)
		if err != nil || number < between[0] || number > between[1] {
			c.refuse(at, "Value out of range",
				fmt.Sprintf("%q is %s; it must be from %g to %g.", at.dotted, found, between[0], between[1]))
		}
	}
}

// refuse adds an error, and where the rule comes from when it is one of the table.
func (c *configuration) refuse(at place, summary, detail string) {
	if c.rule != nil && c.rule.Source != "" && summary != "Value for unconfigurable attribute" {
		detail += " See " + c.rule.Source
	}
	c.problems = append(c.problems, &tfprotov6.Diagnostic{
		Severity: tfprotov6.DiagnosticSeverityError, Summary: summary, Detail: detail, Attribute: at.path,
	})
}

// presence of something: unknown counts as neither.
type presence int

const (
	absent presence = iota
	unsure
	present
)

type group struct {
	at   place
	have map[presence][]string
}

func (c *configuration) compare() {
	for _, names := range c.rule.Conflicts {
		c.each(names, func(g group) {
			if set := g.have[present]; len(set) > 1 {
				c.refuse(g.at, "Conflicting arguments", fmt.Sprintf("only one of %s can be set.", quoted(names)))
			}
		})
	}
	for _, names := range c.rule.ExactlyOne {
		c.each(names, func(g group) {
			set := len(g.have[present])
			if set > 1 || (set == 0 && len(g.have[unsure]) == 0) {
				c.refuse(g.at, "Invalid combination of arguments",
					fmt.Sprintf("exactly one of %s must be set, and %d are.", quoted(names), set))
			}
		})
	}
	for _, names := range c.rule.AtLeastOne {
		c.each(names, func(g group) {
			if len(g.have[absent]) == len(names) {
				c.refuse(g.at, "Missing argument", fmt.Sprintf("one of %s must be set.", quoted(names)))
			}
		})
	}
	for _, names := range c.rule.Together {
		c.each(names, func(g group) {
			if len(g.have[present]) > 0 && len(g.have[absent]) > 0 {
				c.refuse(g.at, "Missing argument", fmt.Sprintf("%s must be set together; %s is not set.",
					quoted(names), quoted(g.have[absent])))
			}
		})
	}
	for _, when := range c.rule.When {
		c.condition(when)
	}
}

// each calls `judge` once for every object that holds what the names have in common: blocks can be there many times.
func (c *configuration) each(names []string, judge func(group)) {
	common := parent(names)
	for _, holder := range c.holders(common) {
		g := group{at: holder.place, have: map[presence][]string{}}
		for _, name := range names {
			inside := strings.TrimPrefix(strings.TrimPrefix(name, common), ".")
			is := c.presenceIn(holder, inside)
			g.have[is] = append(g.have[is], name)
			if is == present {
				g.at = holder.place.below(first(inside))
			}
		}
		judge(g)
	}
}

func (c *configuration) condition(when condition) {
	for name, wanted := range when.If {
		if !c.is(name, wanted) {
			return
		}
	}
	because := describe(when.If)
	for _, name := range when.With {
		if values := c.all(name); len(values) == 0 || !slices.ContainsFunc(values, maybe) {
			c.refuse(root().below(first(name)), "Missing argument", fmt.Sprintf("%q must be set where %s.", name, because))
		}
	}
	for _, name := range when.Without {
		if slices.ContainsFunc(c.all(name), func(e element) bool { return isSet(e.value) }) {
			c.refuse(root().below(first(name)), "Conflicting arguments",
				fmt.Sprintf("%q must not be set where %s.", name, because))
		}
	}
	for _, name := range sortedKeys(when.Then) {
		values := c.all(name)
		fits := func(e element) bool { found, ok := text(e.value); return maybe(e) && (!ok || found == when.Then[name]) }
		if len(values) == 0 || !slices.ContainsFunc(values, fits) {
			c.refuse(root().below(first(name)), "Value not allowed",
				fmt.Sprintf("%q must be %q where %s.", name, when.Then[name], because))
		}
	}
}

func maybe(e element) bool { return !e.value.IsKnown() || isSet(e.value) }

func describe(facts map[string]string) string {
	var said []string
	for _, name := range sortedKeys(facts) {
		said = append(said, fmt.Sprintf("%q is %q", name, facts[name]))
	}
	return strings.Join(said, " and ")
}

// is: the value stands there somewhere; "" is nothing at all, "*" anything.
func (c *configuration) is(name, wanted string) bool {
	values := c.all(name)
	if wanted == "" {
		return !slices.ContainsFunc(values, maybe)
	}
	return slices.ContainsFunc(values, func(e element) bool {
		found, ok := text(e.value)
		return (ok && found == wanted) || (wanted == "*" && isSet(e.value))
	})
}

func (c *configuration) all(dotted string) []element {
	return found(c.fields, element{root(), c.object}, dotted)
}

func (c *configuration) holders(dotted string) []element {
	if dotted == "" {
		return []element{{root(), c.object}}
	}
	f := fieldAt(c.fields, dotted)
	if f == nil {
		return nil
	}
	var holders []element
	for _, each := range c.all(dotted) {
		inside, err := elements(f, each.value, each.place)
		if err == nil {
			holders = append(holders, inside...)
		}
	}
	return holders
}

func (c *configuration) presenceIn(holder element, name string) presence {
	fields := c.fields
	if holder.place.dotted != "" {
		fields = fieldAt(c.fields, holder.place.dotted).fields
	}
	is := absent
	for _, each := range found(fields, holder, name) {
		switch {
		case isSet(each.value):
			return present
		case !each.value.IsKnown():
			is = unsure
		}
	}
	return is
}

// found are all values at a dotted place below an object.
func found(fields []*field, holder element, dotted string) []element {
	name, rest, deeper := strings.Cut(dotted, ".")
	f := fieldAt(fields, name)
	values := map[string]tftypes.Value{}
	if f == nil || holder.value.IsNull() || !holder.value.IsKnown() || holder.value.As(&values) != nil {
		return nil
	}
	here := element{holder.place.below(name), values[name]}
	if !deeper {
		return []element{here}
	}
	if !here.value.IsKnown() {
		return []element{here} // what is in it is not known either
	}
	inside, err := elements(f, here.value, here.place)
	if err != nil {
		return nil
	}
	var all []element
	for _, each := range inside {
		all = append(all, found(f.fields, each, rest)...)
	}
	return all
}

func fieldAt(fields []*field, dotted string) *field {
	name, rest, deeper := strings.Cut(dotted, ".")
	for _, f := range fields {
		if f.name == name {
			if deeper {
				return fieldAt(f.fields, rest)
			}
			return f
		}
	}
	return nil
}

// replacements are the places whose change needs a new object.
func (r *rule) replacements(fields []*field, prior, planned tftypes.Value) []*tftypes.AttributePath {
	var paths []*tftypes.AttributePath
	if r == nil {
		return nil
	}
	for _, dotted := range r.New {
		before := found(fields, element{root(), prior}, dotted)
		after := found(fields, element{root(), planned}, dotted)
		if differ(before, after) {
			paths = append(paths, root().path.WithAttributeName(first(dotted)))
		}
	}
	return paths
}

// differ: what was nothing before was imported, and is no reason to make the object again.
func differ(before, after []element) bool {
	if len(before) == 0 || !slices.ContainsFunc(before, func(e element) bool { return isSet(e.value) }) {
		return false
	}
	if len(before) != len(after) {
		return true
	}
	for index := range before {
		if !before[index].value.Equal(after[index].value) {
			return true
		}
	}
	return false
}

func parent(names []string) string {
	common := strings.Split(names[0], ".")
	common = common[:len(common)-1]
	for _, name := range names[1:] {
		steps := strings.Split(name, ".")
		length := 0
		for length < min(len(common), len(steps)-1) && steps[length] == common[length] {
			length++
		}
		common = common[:length]
	}
	return strings.Join(common, ".")
}

func first(dotted string) string { return strings.SplitN(dotted, ".", 2)[0] }

func quoted(names []string) string {
	said := make([]string, len(names))
	for index, name := range names {
		said[index] = strconv.Quote(name)
	}
	return strings.Join(said, ", ")
}
