package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// player serves one recorded provider. All state it has is Terraform's.
type player struct {
	tfprotov6.ProviderServer // nothing of it: an RPC that is not below is one that no recorded schema can ask for

	name      string
	provider  *shape
	resources map[string]*shape
	data      map[string]*shape
	ephemeral map[string]*shape
	functions map[string]*tfprotov6.Function
	rules     table

	configuration tftypes.Value
}

func newPlayer(name string, recorded recordedProvider, rules table) (*player, error) {
	p := &player{name: name, rules: rules}
	var err error
	if p.provider, err = newShape(recorded.Provider); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	for _, each := range []struct {
		into *map[string]*shape
		from map[string]recordedSchema
	}{{&p.resources, recorded.Resources}, {&p.data, recorded.Data}, {&p.ephemeral, recorded.Ephemeral}} {
		if *each.into, err = newShapes(each.from); err != nil {
			return nil, err
		}
	}
	p.functions, err = newFunctions(recorded.Functions)
	return p, err
}

func newFunctions(recorded map[string]recordedFunction) (map[string]*tfprotov6.Function, error) {
	functions := map[string]*tfprotov6.Function{}
	for name, function := range recorded {
		kind, err := parseType(function.Return)
		if err != nil {
			return nil, fmt.Errorf("function %s: %w", name, err)
		}
		made := &tfprotov6.Function{Return: &tfprotov6.FunctionReturn{Type: kind}}
		for _, each := range function.Parameters {
			parameter, err := newParameter(each)
			if err != nil {
				return nil, fmt.Errorf("function %s: %w", name, err)
			}
			made.Parameters = append(made.Parameters, parameter)
		}
		if function.Variadic != nil {
			if made.VariadicParameter, err = newParameter(*function.Variadic); err != nil {
				return nil, fmt.Errorf("function %s: %w", name, err)
			}
		}
		functions[name] = made
	}
	return functions, nil
}

func newParameter(recorded recordedParameter) (*tfprotov6.FunctionParameter, error) {
	kind, err := parseType(recorded.Type)
	return &tfprotov6.FunctionParameter{Name: recorded.Name, Type: kind, AllowNullValue: recorded.IsNullable}, err
}

// What is there

func served(shapes map[string]*shape) map[string]*tfprotov6.Schema {
	schemas := make(map[string]*tfprotov6.Schema, len(shapes))
	for name, each := range shapes {
		schemas[name] = each.served
	}
	return schemas
}

func (p *player) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	answer := &tfprotov6.GetMetadataResponse{ServerCapabilities: capabilities}
	for _, name := range sortedKeys(p.resources) {
		answer.Resources = append(answer.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for _, name := range sortedKeys(p.data) {
		answer.DataSources = append(answer.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	for _, name := range sortedKeys(p.ephemeral) {
		answer.EphemeralResources = append(answer.EphemeralResources, tfprotov6.EphemeralResourceMetadata{TypeName: name})
	}
	for _, name := range sortedKeys(p.functions) {
		answer.Functions = append(answer.Functions, tfprotov6.FunctionMetadata{Name: name})
	}
	return answer, nil
}

var capabilities = &tfprotov6.ServerCapabilities{GetProviderSchemaOptional: true}

func (p *player) GetProviderSchema(
	context.Context, *tfprotov6.GetProviderSchemaRequest,
) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{
		ServerCapabilities: capabilities, Provider: p.provider.served, ResourceSchemas: served(p.resources),
		DataSourceSchemas: served(p.data), EphemeralResourceSchemas: served(p.ephemeral), Functions: p.functions,
	}, nil
}

func (p *player) GetResourceIdentitySchemas(
	context.Context, *tfprotov6.GetResourceIdentitySchemasRequest,
) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (p *player) GetFunctions(
	context.Context, *tfprotov6.GetFunctionsRequest,
) (*tfprotov6.GetFunctionsResponse, error) {
	return &tfprotov6.GetFunctionsResponse{Functions: p.functions}, nil
}

// The provider's own configuration

func (p *player) ValidateProviderConfig(
	_ context.Context, asked *tfprotov6.ValidateProviderConfigRequest,
) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: asked.Config}, nil
}

func (p *player) ConfigureProvider(
	_ context.Context, asked *tfprotov6.ConfigureProviderRequest,
) (*tfprotov6.ConfigureProviderResponse, error) {
	configuration, err := asked.Config.Unmarshal(p.provider.kind)
	p.configuration = configuration
	return &tfprotov6.ConfigureProviderResponse{}, err
}

func (p *player) StopProvider(
	context.Context, *tfprotov6.StopProviderRequest,
) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

// Resources

// ValidateResourceConfig is asked twice: at validate, and at plan with what is known then.
func (p *player) ValidateResourceConfig(
	_ context.Context, asked *tfprotov6.ValidateResourceConfigRequest,
) (*tfprotov6.ValidateResourceConfigResponse, error) {
	problems, err := p.validate(p.resources, p.rules.Resources, asked.TypeName, asked.Config)
	return &tfprotov6.ValidateResourceConfigResponse{Diagnostics: problems}, err
}

func (p *player) validate(
	shapes map[string]*shape, rules map[string]*rule, name string, configuration *tfprotov6.DynamicValue,
) ([]*tfprotov6.Diagnostic, error) {
	of, known := shapes[name]
	if !known {
		return nil, fmt.Errorf("the recorded schema has no %s", name)
	}
	object, err := configuration.Unmarshal(of.kind)
	if err != nil {
		return nil, err
	}
	return checked(rules[name], of.fields, object)
}

// UpgradeResourceState: a replayed state was written with this very schema.
func (p *player) UpgradeResourceState(
	_ context.Context, asked *tfprotov6.UpgradeResourceStateRequest,
) (*tfprotov6.UpgradeResourceStateResponse, error) {
	of := p.resources[asked.TypeName]
	unread := tfprotov6.UnmarshalOpts{ValueFromJSONOpts: tftypes.ValueFromJSONOpts{IgnoreUndefinedAttributes: true}}
	state, err := asked.RawState.UnmarshalWithOpts(of.kind, unread)
	if err != nil {
		return nil, err
	}
	upgraded, err := dynamic(of, state)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: upgraded}, err
}

func (p *player) ReadResource(
	_ context.Context, asked *tfprotov6.ReadResourceRequest,
) (*tfprotov6.ReadResourceResponse, error) {
	return &tfprotov6.ReadResourceResponse{NewState: asked.CurrentState, Private: asked.Private}, nil
}

func (p *player) PlanResourceChange(
	_ context.Context, asked *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	of, rules := p.resources[asked.TypeName], p.rules.Resources[asked.TypeName]
	prior, err := asked.PriorState.Unmarshal(of.kind)
	if err != nil {
		return nil, err
	}
	proposed, err := asked.ProposedNewState.Unmarshal(of.kind)
	if err != nil {
		return nil, err
	}
	if proposed.IsNull() {
		return &tfprotov6.PlanResourceChangeResponse{PlannedState: asked.ProposedNewState}, nil
	}
	planned, err := p.planned(of, proposed)
	if err != nil {
		return nil, err
	}
	answer := &tfprotov6.PlanResourceChangeResponse{}
	if !prior.IsNull() {
		answer.RequiresReplace = rules.replacements(of.fields, prior, planned)
	}
	answer.PlannedState, err = dynamic(of, planned)
	return answer, err
}

// planned: what only the cloud knows is unknown until it is made, and what is write-only never stays.
func (p *player) planned(of *shape, proposed tftypes.Value) (tftypes.Value, error) {
	merged := p.merged(proposed)
	return edited(of.fields, proposed, root(), func(f *field, at place, value tftypes.Value) (tftypes.Value, error) {
		switch {
		case f.writeOnly:
			return tftypes.NewValue(f.kind, nil), nil
		case f.computed && merged[at.dotted] != nil && f.kind.Is(tftypes.Map{ElementType: tftypes.String}):
			return *merged[at.dotted], nil
		case f.computed && value.IsNull():
			return tftypes.NewValue(f.kind, tftypes.UnknownValue), nil
		}
		return value, nil
	})
}

// merging: where a provider shows a resource's own tags together with those of its configuration.
var merging = []struct{ shown, own, block, below string }{
	{"tags_all", "tags", "default_tags", "tags"},
	{"effective_labels", "labels", "default_labels", ""},
	{"terraform_labels", "labels", "default_labels", ""},
}

func (p *player) merged(object tftypes.Value) map[string]*tftypes.Value {
	values, merged := map[string]tftypes.Value{}, map[string]*tftypes.Value{}
	if object.As(&values) != nil {
		return merged
	}
	for _, each := range merging {
		own, known := values[each.own]
		if _, shown := values[each.shown]; !shown || !known || !own.Type().Is(tftypes.Map{}) {
			continue
		}
		value := united(p.defaults(each.block, each.below), own)
		merged[each.shown] = &value
	}
	return merged
}

func united(defaults, own tftypes.Value) tftypes.Value {
	kind := tftypes.Map{ElementType: tftypes.String}
	all := map[string]tftypes.Value{}
	for _, part := range []tftypes.Value{defaults, own} {
		values := map[string]tftypes.Value{}
		if !part.IsKnown() {
			return tftypes.NewValue(kind, tftypes.UnknownValue)
		}
		if part.IsNull() || part.As(&values) != nil {
			continue
		}
		for name, value := range values {
			all[name] = value
		}
	}
	return tftypes.NewValue(kind, all)
}

// defaults of the provider's configuration: `default_tags { tags = {…} }` and `default_labels = {…}`.
func (p *player) defaults(block, below string) tftypes.Value {
	for _, each := range found(p.provider.fields, element{root(), p.configuration}, strings.TrimSuffix(block+"."+below, ".")) {
		return each.value
	}
	return tftypes.NewValue(tftypes.Map{ElementType: tftypes.String}, nil)
}

func (p *player) ApplyResourceChange(
	_ context.Context, asked *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	of, rules := p.resources[asked.TypeName], p.rules.Resources[asked.TypeName]
	planned, err := asked.PlannedState.Unmarshal(of.kind)
	if err != nil {
		return nil, err
	}
	if planned.IsNull() {
		return &tfprotov6.ApplyResourceChangeResponse{NewState: asked.PlannedState}, nil
	}
	settled, err := settled(of, planned, p.answerer(asked.TypeName, planned, rand.Text(), rules))
	if err != nil {
		return nil, err
	}
	state, err := dynamic(of, settled)
	return &tfprotov6.ApplyResourceChangeResponse{NewState: state, Private: asked.PlannedPrivate}, err
}

func (p *player) answerer(kind string, object tftypes.Value, seed string, rules *rule) *answerer {
	a := &answerer{provider: p.name, kind: kind, settings: texts(p.configuration), known: texts(object), seed: seed}
	if rules != nil {
		a.given = rules.Answers
	}
	return a
}

// settled: everything that is unknown becomes known, also inside of collections.
func settled(of *shape, object tftypes.Value, a *answerer) (tftypes.Value, error) {
	return edited(of.fields, object, root(), func(f *field, at place, value tftypes.Value) (tftypes.Value, error) {
		if f.writeOnly {
			return tftypes.NewValue(f.kind, nil), nil
		}
		if !value.IsKnown() {
			return a.answer(at.dotted, f.kind)
		}
		if f.fields != nil || value.IsFullyKnown() {
			return value, nil
		}
		return tftypes.Transform(value, func(path *tftypes.AttributePath, part tftypes.Value) (tftypes.Value, error) {
			if part.IsKnown() {
				return part, nil
			}
			return a.answer(at.dotted+"."+path.String(), part.Type())
		})
	})
}

// ImportResourceState knows the id and what only the cloud decides; what the configuration says is a change to it.
func (p *player) ImportResourceState(
	_ context.Context, asked *tfprotov6.ImportResourceStateRequest,
) (*tfprotov6.ImportResourceStateResponse, error) {
	of, rules := p.resources[asked.TypeName], p.rules.Resources[asked.TypeName]
	empty, err := emptied(of, asked.ID)
	if err != nil {
		return nil, err
	}
	object, err := completed(of, empty, p.answerer(asked.TypeName, empty, asked.ID, rules), isDecidedByCloud)
	if err != nil {
		return nil, err
	}
	state, err := dynamic(of, object)
	imported := &tfprotov6.ImportedResource{TypeName: asked.TypeName, State: state}
	return &tfprotov6.ImportResourceStateResponse{ImportedResources: []*tfprotov6.ImportedResource{imported}}, err
}

func isDecidedByCloud(f *field) bool { return f.isReadOnly() }

// emptied is an object with nothing in it but its id.
func emptied(of *shape, id string) (tftypes.Value, error) {
	values := map[string]tftypes.Value{}
	for _, f := range of.fields {
		var content any
		switch {
		case f.name == "id" && f.kind.Is(tftypes.String):
			content = id
		case f.nesting == "list" || f.nesting == "set":
			if !f.computed {
				content = []tftypes.Value{}
			}
		case f.nesting == "map" && !f.computed:
			content = map[string]tftypes.Value{}
		}
		values[f.name] = tftypes.NewValue(f.kind, content)
	}
	return made(of.kind, values)
}

// completed answers for the fields that are null and of the wanted kind.
func completed(of *shape, object tftypes.Value, a *answerer, wanted func(*field) bool) (tftypes.Value, error) {
	return edited(of.fields, object, root(), func(f *field, at place, value tftypes.Value) (tftypes.Value, error) {
		if value.IsNull() && f.computed && wanted(f) {
			return a.answer(at.dotted, f.kind)
		}
		return value, nil
	})
}

func (p *player) MoveResourceState(
	_ context.Context, asked *tfprotov6.MoveResourceStateRequest,
) (*tfprotov6.MoveResourceStateResponse, error) {
	problem := &tfprotov6.Diagnostic{
		Severity: tfprotov6.DiagnosticSeverityError, Summary: "Move not recorded",
		Detail: fmt.Sprintf("No schema says how a %s becomes a %s.", asked.SourceTypeName, asked.TargetTypeName),
	}
	return &tfprotov6.MoveResourceStateResponse{Diagnostics: []*tfprotov6.Diagnostic{problem}}, nil
}

func (p *player) UpgradeResourceIdentity(
	context.Context, *tfprotov6.UpgradeResourceIdentityRequest,
) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return &tfprotov6.UpgradeResourceIdentityResponse{}, nil
}

// Data sources: the same question has the same answer, so that a second plan finds nothing new.

func (p *player) ValidateDataResourceConfig(
	_ context.Context, asked *tfprotov6.ValidateDataResourceConfigRequest,
) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	problems, err := p.validate(p.data, p.rules.Data, asked.TypeName, asked.Config)
	return &tfprotov6.ValidateDataResourceConfigResponse{Diagnostics: problems}, err
}

func (p *player) ReadDataSource(
	_ context.Context, asked *tfprotov6.ReadDataSourceRequest,
) (*tfprotov6.ReadDataSourceResponse, error) {
	answered, err := p.lookedUp(p.data, p.rules.Data, asked.TypeName, asked.Config)
	return &tfprotov6.ReadDataSourceResponse{State: answered}, err
}

func (p *player) lookedUp(
	shapes map[string]*shape, rules map[string]*rule, name string, configuration *tfprotov6.DynamicValue,
) (*tfprotov6.DynamicValue, error) {
	of := shapes[name]
	object, err := configuration.Unmarshal(of.kind)
	if err != nil {
		return nil, err
	}
	answers := p.answerer(name, object, object.String(), rules[name])
	object, err = completed(of, object, answers, func(*field) bool { return true })
	if err != nil {
		return nil, err
	}
	return dynamic(of, object)
}

// Ephemeral resources

func (p *player) ValidateEphemeralResourceConfig(
	_ context.Context, asked *tfprotov6.ValidateEphemeralResourceConfigRequest,
) (*tfprotov6.ValidateEphemeralResourceConfigResponse, error) {
	problems, err := p.validate(p.ephemeral, nil, asked.TypeName, asked.Config)
	return &tfprotov6.ValidateEphemeralResourceConfigResponse{Diagnostics: problems}, err
}

func (p *player) OpenEphemeralResource(
	_ context.Context, asked *tfprotov6.OpenEphemeralResourceRequest,
) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	answered, err := p.lookedUp(p.ephemeral, nil, asked.TypeName, asked.Config)
	return &tfprotov6.OpenEphemeralResourceResponse{Result: answered}, err
}

func (p *player) RenewEphemeralResource(
	context.Context, *tfprotov6.RenewEphemeralResourceRequest,
) (*tfprotov6.RenewEphemeralResourceResponse, error) {
	return &tfprotov6.RenewEphemeralResourceResponse{RenewAt: time.Time{}}, nil
}

func (p *player) CloseEphemeralResource(
	context.Context, *tfprotov6.CloseEphemeralResourceRequest,
) (*tfprotov6.CloseEphemeralResourceResponse, error) {
	return &tfprotov6.CloseEphemeralResourceResponse{}, nil
}

// Functions

func (p *player) CallFunction(
	_ context.Context, asked *tfprotov6.CallFunctionRequest,
) (*tfprotov6.CallFunctionResponse, error) {
	said, err := json.Marshal(asked.Arguments)
	if err != nil {
		return nil, err
	}
	kind := p.functions[asked.Name].Return.Type
	value, err := (&answerer{provider: p.name, kind: p.name + "_" + asked.Name, seed: string(said)}).answer("result", kind)
	if err != nil {
		return nil, err
	}
	result, err := tfprotov6.NewDynamicValue(kind, value)
	return &tfprotov6.CallFunctionResponse{Result: &result}, err
}

func dynamic(of *shape, value tftypes.Value) (*tfprotov6.DynamicValue, error) {
	served, err := tfprotov6.NewDynamicValue(of.kind, value)
	return &served, err
}
