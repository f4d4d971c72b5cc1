package main

import (
	"encoding/json"
	"fmt"
	"sort"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The form of `terraform providers schema -json`:
// https://developer.hashicorp.com/terraform/cli/commands/providers/schema
type recording struct {
	Providers map[string]recordedProvider `json:"provider_schemas"`
}

type recordedProvider struct {
	Provider  recordedSchema              `json:"provider"`
	Resources map[string]recordedSchema   `json:"resource_schemas"`
	Data      map[string]recordedSchema   `json:"data_source_schemas"`
	Ephemeral map[string]recordedSchema   `json:"ephemeral_resource_schemas"`
	Functions map[string]recordedFunction `json:"functions"`
}

type recordedSchema struct {
	Version int64         `json:"version"`
	Block   recordedBlock `json:"block"`
}

type recordedBlock struct {
	Attributes map[string]recordedAttribute   `json:"attributes"`
	BlockTypes map[string]recordedNestedBlock `json:"block_types"`
	Deprecated bool                           `json:"deprecated"`
}

type recordedAttribute struct {
	Type       json.RawMessage     `json:"type"`
	NestedType *recordedNestedType `json:"nested_type"`
	Required   bool                `json:"required"`
	Optional   bool                `json:"optional"`
	Computed   bool                `json:"computed"`
	Sensitive  bool                `json:"sensitive"`
	Deprecated bool                `json:"deprecated"`
	WriteOnly  bool                `json:"write_only"`
}

type recordedNestedType struct {
	Attributes  map[string]recordedAttribute `json:"attributes"`
	NestingMode string                       `json:"nesting_mode"`
}

type recordedNestedBlock struct {
	NestingMode string        `json:"nesting_mode"`
	Block       recordedBlock `json:"block"`
	MinItems    int64         `json:"min_items"`
	MaxItems    int64         `json:"max_items"`
}

type recordedFunction struct {
	Return     json.RawMessage     `json:"return_type"`
	Parameters []recordedParameter `json:"parameters"`
	Variadic   *recordedParameter  `json:"variadic_parameter"`
}

type recordedParameter struct {
	Name       string          `json:"name"`
	Type       json.RawMessage `json:"type"`
	IsNullable bool            `json:"is_nullable"`
}

// field is an attribute or a block: what differs between the two matters to Terraform and hardly to us.
// A field without fields is a plain value.
type field struct {
	name       string
	kind       tftypes.Type
	nesting    string
	fields     []*field
	required   bool
	optional   bool
	computed   bool
	writeOnly  bool
	deprecated bool
}

// isReadOnly: the provider decides it, and a configuration may not.
func (f *field) isReadOnly() bool { return f.computed && !f.optional && !f.required }

// shape is the schema of one resource type, data source or provider, in Terraform's form and in ours.
type shape struct {
	served *tfprotov6.Schema
	fields []*field
	kind   tftypes.Type
}

func newShape(recorded recordedSchema) (*shape, error) {
	block, fields, err := convertBlock(recorded.Block)
	if err != nil {
		return nil, err
	}
	served := &tfprotov6.Schema{Version: recorded.Version, Block: block}
	return &shape{served: served, fields: fields, kind: served.ValueType()}, nil
}

func newShapes(recorded map[string]recordedSchema) (map[string]*shape, error) {
	shapes := make(map[string]*shape, len(recorded))
	for name, schema := range recorded {
		made, err := newShape(schema)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		shapes[name] = made
	}
	return shapes, nil
}

func convertBlock(recorded recordedBlock) (*tfprotov6.SchemaBlock, []*field, error) {
	block := &tfprotov6.SchemaBlock{Deprecated: recorded.Deprecated}
	attributes, fields, err := convertAttributes(recorded.Attributes)
	if err != nil {
		return nil, nil, err
	}
	block.Attributes = attributes
	for _, name := range sortedKeys(recorded.BlockTypes) {
		nested, field, err := convertNestedBlock(name, recorded.BlockTypes[name])
		if err != nil {
			return nil, nil, err
		}
		block.BlockTypes = append(block.BlockTypes, nested)
		fields = append(fields, field)
	}
	return block, fields, nil
}

var blockModes = map[string]tfprotov6.SchemaNestedBlockNestingMode{
	"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
	"group":  tfprotov6.SchemaNestedBlockNestingModeGroup,
	"list":   tfprotov6.SchemaNestedBlockNestingModeList,
	"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
	"map":    tfprotov6.SchemaNestedBlockNestingModeMap,
}

var objectModes = map[string]tfprotov6.SchemaObjectNestingMode{
	"single": tfprotov6.SchemaObjectNestingModeSingle,
	"list":   tfprotov6.SchemaObjectNestingModeList,
	"set":    tfprotov6.SchemaObjectNestingModeSet,
	"map":    tfprotov6.SchemaObjectNestingModeMap,
}

func convertNestedBlock(name string, recorded recordedNestedBlock) (*tfprotov6.SchemaNestedBlock, *field, error) {
	mode, known := blockModes[recorded.NestingMode]
	if !known {
		return nil, nil, fmt.Errorf("block %s has the unknown nesting mode %q", name, recorded.NestingMode)
	}
	block, fields, err := convertBlock(recorded.Block)
	if err != nil {
		return nil, nil, fmt.Errorf("block %s: %w", name, err)
	}
	nested := &tfprotov6.SchemaNestedBlock{
		TypeName: name, Nesting: mode, Block: block, MinItems: recorded.MinItems, MaxItems: recorded.MaxItems,
	}
	return nested, &field{
		name: name, kind: nested.ValueType(), nesting: recorded.NestingMode, fields: fields,
		optional: recorded.MinItems == 0, required: recorded.MinItems > 0, deprecated: recorded.Block.Deprecated,
	}, nil
}

func convertAttributes(recorded map[string]recordedAttribute) ([]*tfprotov6.SchemaAttribute, []*field, error) {
	var attributes []*tfprotov6.SchemaAttribute
	var fields []*field
	for _, name := range sortedKeys(recorded) {
		attribute, field, err := convertAttribute(name, recorded[name])
		if err != nil {
			return nil, nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		attributes = append(attributes, attribute)
		fields = append(fields, field)
	}
	return attributes, fields, nil
}

func convertAttribute(name string, recorded recordedAttribute) (*tfprotov6.SchemaAttribute, *field, error) {
	attribute := &tfprotov6.SchemaAttribute{
		Name: name, Required: recorded.Required, Optional: recorded.Optional, Computed: recorded.Computed,
		Sensitive: recorded.Sensitive, Deprecated: recorded.Deprecated, WriteOnly: recorded.WriteOnly,
	}
	made := &field{
		name: name, required: recorded.Required, optional: recorded.Optional, computed: recorded.Computed,
		writeOnly: recorded.WriteOnly, deprecated: recorded.Deprecated,
	}
	var err error
	if recorded.NestedType != nil {
		made.nesting = recorded.NestedType.NestingMode
		attribute.NestedType, made.fields, err = convertNestedType(recorded.NestedType)
	} else {
		attribute.Type, err = parseType(recorded.Type)
	}
	if err != nil {
		return nil, nil, err
	}
	made.kind = attribute.ValueType()
	return attribute, made, nil
}

func convertNestedType(recorded *recordedNestedType) (*tfprotov6.SchemaObject, []*field, error) {
	mode, known := objectModes[recorded.NestingMode]
	if !known {
		return nil, nil, fmt.Errorf("unknown nesting mode %q", recorded.NestingMode)
	}
	attributes, fields, err := convertAttributes(recorded.Attributes)
	if err != nil {
		return nil, nil, err
	}
	return &tfprotov6.SchemaObject{Attributes: attributes, Nesting: mode}, fields, nil
}

func parseType(text json.RawMessage) (tftypes.Type, error) {
	kind, err := tftypes.ParseJSONType(text) //nolint:staticcheck // the recording is in this very form
	if err != nil {
		return nil, fmt.Errorf("type %s: %w", text, err)
	}
	return kind, nil
}

func sortedKeys[V any](values map[string]V) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
