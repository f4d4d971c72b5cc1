package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// everything is a schema with each kind of thing that a schema can hold.
const everything = `{
  "version": 3,
  "block": {
    "attributes": {
      "id": {"type": "string", "computed": true},
      "arn": {"type": "string", "computed": true},
      "name": {"type": "string", "required": true},
      "size": {"type": "number", "optional": true},
      "old": {"type": "bool", "optional": true, "deprecated": true},
      "zone": {"type": "string", "optional": true, "computed": true},
      "password": {"type": "string", "optional": true, "sensitive": true, "write_only": true},
      "anything": {"type": "dynamic", "optional": true},
      "anything_read": {"type": "dynamic", "computed": true},
      "tags": {"type": ["map", "string"], "optional": true},
      "tags_all": {"type": ["map", "string"], "optional": true, "computed": true},
      "groups": {"type": ["set", "string"], "optional": true},
      "certificate_authority": {"type": ["list", ["object", {"data": "string"}]], "computed": true},
      "pools": {
        "optional": true, "computed": true,
        "nested_type": {"nesting_mode": "list", "attributes": {
          "label": {"type": "string", "required": true},
          "uid": {"type": "string", "computed": true}
        }}
      },
      "by_key": {
        "optional": true,
        "nested_type": {"nesting_mode": "map", "attributes": {
          "value": {"type": "string", "optional": true, "computed": true}
        }}
      }
    },
    "block_types": {
      "network": {"nesting_mode": "list", "max_items": 1, "block": {
        "attributes": {
          "range": {"type": "string", "optional": true},
          "name": {"type": "string", "optional": true},
          "vpc_id": {"type": "string", "computed": true}
        },
        "block_types": {"rule": {"nesting_mode": "set", "block": {"attributes": {
          "port": {"type": "number", "required": true},
          "rule_id": {"type": "string", "computed": true}
        }}}}
      }},
      "timeouts": {"nesting_mode": "single", "block": {"attributes": {"create": {"type": "string", "optional": true}}}},
      "disk": {"nesting_mode": "map", "block": {"attributes": {"gb": {"type": "number", "optional": true}}}}
    }
  }
}`

func everythingShape(t *testing.T) *shape {
	t.Helper()
	var recorded recordedSchema
	must(t, json.Unmarshal([]byte(everything), &recorded))
	made, err := newShape(recorded)
	must(t, err)
	return made
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// object of a shape from its JSON form; what is not named is null, and blocks are empty.
func object(t *testing.T, of *shape, text string) tftypes.Value {
	t.Helper()
	value, err := tftypes.ValueFromJSON([]byte(text), of.kind) //nolint:staticcheck // as Terraform stores it
	must(t, err)
	value, err = edited(of.fields, value, root(), func(f *field, _ place, value tftypes.Value) (tftypes.Value, error) {
		if f.fields != nil && !f.computed && value.IsNull() && f.nesting != "single" {
			if f.nesting == "map" {
				return tftypes.NewValue(f.kind, map[string]tftypes.Value{}), nil
			}
			return tftypes.NewValue(f.kind, []tftypes.Value{}), nil
		}
		return value, nil
	})
	must(t, err)
	return value
}

func TestEveryKindOfThingIsServed(t *testing.T) {
	of := everythingShape(t)
	if of.served.Version != 3 || len(of.served.Block.Attributes) != 15 || len(of.served.Block.BlockTypes) != 3 {
		t.Fatalf("served %d attributes, %d blocks", len(of.served.Block.Attributes), len(of.served.Block.BlockTypes))
	}
	if !of.kind.Equal(of.served.ValueType()) {
		t.Fatal("the two forms of a schema differ")
	}
	password := fieldAt(of.fields, "password")
	if !password.writeOnly || fieldAt(of.fields, "arn").isReadOnly() == fieldAt(of.fields, "zone").isReadOnly() {
		t.Fatal("what an attribute is has been lost")
	}
	if inside := fieldAt(of.fields, "network.rule.rule_id"); inside == nil || !inside.computed {
		t.Fatal("fields of nested blocks are not found")
	}
}

func TestWhatCannotBeServedIsNamed(t *testing.T) {
	for text, said := range map[string]string{
		`{"block": {"attributes": {"x": {"type": "nonsense"}}}}`:                      "attribute x",
		`{"block": {"attributes": {"x": {"nested_type": {"nesting_mode": "ring"}}}}}`: "ring",
		`{"block": {"block_types": {"b": {"nesting_mode": "heap"}}}}`:                 "heap",
	} {
		var recorded recordedSchema
		must(t, json.Unmarshal([]byte(text), &recorded))
		if _, err := newShape(recorded); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
