package main

import (
	"fmt"
	"math/big"
	"strconv"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// place is where a value stands: `path` for Terraform, `dotted` for the table of rules, without indexes.
// Below a set the path ends at the set: Terraform has no path into one that it could show.
type place struct {
	path   *tftypes.AttributePath
	dotted string
	inSet  bool
}

func root() place { return place{path: tftypes.NewAttributePath()} }

func (p place) below(name string) place {
	dotted := name
	if p.dotted != "" {
		dotted = p.dotted + "." + name
	}
	if p.inSet {
		return place{p.path, dotted, true}
	}
	return place{path: p.path.WithAttributeName(name), dotted: dotted}
}

func (p place) at(step func(*tftypes.AttributePath) *tftypes.AttributePath) place {
	if p.inSet {
		return p
	}
	return place{path: step(p.path), dotted: p.dotted}
}

// element is one value of a collection.
type element struct {
	place place
	value tftypes.Value
}

// elements are the objects in the value of a field that has fields of its own.
func elements(f *field, value tftypes.Value, at place) ([]element, error) {
	if value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	switch f.nesting {
	case "list", "set":
		var values []tftypes.Value
		if err := value.As(&values); err != nil {
			return nil, err
		}
		found := make([]element, len(values))
		for index, each := range values {
			found[index] = element{place{at.path, at.dotted, true}, each}
			if f.nesting == "list" {
				step := func(path *tftypes.AttributePath) *tftypes.AttributePath { return path.WithElementKeyInt(index) }
				found[index].place = at.at(step)
			}
		}
		return found, nil
	case "map":
		values := map[string]tftypes.Value{}
		if err := value.As(&values); err != nil {
			return nil, err
		}
		var found []element
		for _, key := range sortedKeys(values) {
			step := func(path *tftypes.AttributePath) *tftypes.AttributePath { return path.WithElementKeyString(key) }
			found = append(found, element{at.at(step), values[key]})
		}
		return found, nil
	}
	return []element{{at, value}}, nil
}

// put is the opposite of elements.
func put(f *field, like tftypes.Value, values []tftypes.Value) (tftypes.Value, error) {
	switch f.nesting {
	case "list", "set":
		return made(like.Type(), values)
	case "map":
		keyed := map[string]tftypes.Value{}
		if err := like.As(&keyed); err != nil {
			return like, err
		}
		for index, key := range sortedKeys(keyed) {
			keyed[key] = values[index]
		}
		return made(like.Type(), keyed)
	}
	return values[0], nil
}

// made is NewValue that answers with an error where a value does not fit its type.
func made(kind tftypes.Type, value any) (tftypes.Value, error) {
	if err := tftypes.ValidateValue(kind, value); err != nil {
		return tftypes.Value{}, err
	}
	return tftypes.NewValue(kind, value), nil
}

type change func(f *field, at place, value tftypes.Value) (tftypes.Value, error)

// edited is `object` with each field given to `alter`, the outer ones first.
func edited(fields []*field, object tftypes.Value, at place, alter change) (tftypes.Value, error) {
	if object.IsNull() || !object.IsKnown() {
		return object, nil
	}
	values := map[string]tftypes.Value{}
	if err := object.As(&values); err != nil {
		return object, err
	}
	for _, f := range fields {
		value, err := editedField(f, values[f.name], at.below(f.name), alter)
		if err != nil {
			return object, fmt.Errorf("%s: %w", at.below(f.name).dotted, err)
		}
		values[f.name] = value
	}
	return made(object.Type(), values)
}

func editedField(f *field, value tftypes.Value, at place, alter change) (tftypes.Value, error) {
	value, err := alter(f, at, value)
	if err != nil || f.fields == nil {
		return value, err
	}
	inside, err := elements(f, value, at)
	if err != nil || inside == nil {
		return value, err
	}
	values := make([]tftypes.Value, len(inside))
	for index, each := range inside {
		if values[index], err = edited(f.fields, each.value, each.place, alter); err != nil {
			return value, err
		}
	}
	return put(f, value, values)
}

// visited calls `look` for each field of an object, the outer ones first.
func visited(fields []*field, object tftypes.Value, look func(f *field, at place, value tftypes.Value)) error {
	_, err := edited(fields, object, root(), func(f *field, at place, value tftypes.Value) (tftypes.Value, error) {
		look(f, at, value)
		return value, nil
	})
	return err
}

// isSet: there is something; false for what is not known yet.
func isSet(value tftypes.Value) bool {
	if value.IsNull() || !value.IsKnown() {
		return false
	}
	if value.Type().Is(tftypes.List{}) || value.Type().Is(tftypes.Set{}) {
		var values []tftypes.Value
		return value.As(&values) == nil && len(values) > 0
	}
	return true
}

// text of a value that is one: a number and a boolean as Terraform writes them.
func text(value tftypes.Value) (string, bool) {
	if value.IsNull() || !value.IsKnown() {
		return "", false
	}
	switch {
	case value.Type().Is(tftypes.String):
		var found string
		return found, value.As(&found) == nil
	case value.Type().Is(tftypes.Bool):
		var found bool
		err := value.As(&found)
		return strconv.FormatBool(found), err == nil
	case value.Type().Is(tftypes.Number):
		found := new(big.Float)
		err := value.As(&found)
		return found.Text('f', -1), err == nil
	}
	return "", false
}
