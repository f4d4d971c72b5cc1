// external-dns over its published packages, with Route 53 as its one provider: its own program holds the clients of
// all other clouds too, and those take longer to compile than all else that these tests build.
//
// Flags, sources, ownership, the plan of what to change and the provider are external-dns's own; the loop is here.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns/validation"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider"
	"sigs.k8s.io/external-dns/provider/aws"
	"sigs.k8s.io/external-dns/registry"
	"sigs.k8s.io/external-dns/registry/factory"
	"sigs.k8s.io/external-dns/source"
	"sigs.k8s.io/external-dns/source/annotations"
	"sigs.k8s.io/external-dns/source/wrappers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	told := externaldns.NewConfig()
	if err := told.ParseFlags(arguments); err != nil {
		return err
	}
	if err := validation.ValidateConfig(told); err != nil {
		return err
	}
	if told.Provider != externaldns.ProviderAWS {
		return fmt.Errorf("the provider %q is not built in here", told.Provider)
	}
	annotations.SetAnnotationPrefix(told.AnnotationPrefix)
	made, err := of(ctx, told)
	if err != nil {
		return err
	}
	return made.follow(ctx)
}

type keeper struct {
	told    *externaldns.Config
	hosts   source.Source
	records registry.Registry
	filter  *endpoint.DomainFilter
}

func of(ctx context.Context, told *externaldns.Config) (*keeper, error) {
	sources, err := source.NewSourceConfig(told)
	if err != nil {
		return nil, err
	}
	hosts, err := wrappers.Build(ctx, sources)
	if err != nil {
		return nil, err
	}
	filter := endpoint.NewDomainFilterWithOptions(endpoint.WithDomainFilter(told.DomainFilter))
	zones, err := aws.New(ctx, told, filter)
	if err != nil {
		return nil, err
	}
	records, err := factory.Select(told, zones)
	return &keeper{told, hosts, records, filter}, err
}

// follow writes what is to be written at once, then at each event and at each interval.
func (k *keeper) follow(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	if k.told.UpdateEvents {
		k.hosts.AddEventHandler(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}
	for {
		if err := k.write(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			time.Sleep(k.told.MinEventSyncInterval)
		case <-time.After(k.told.Interval):
		}
	}
}

func (k *keeper) write(ctx context.Context) error {
	there, err := k.records.Records(ctx)
	if err != nil {
		return err
	}
	ctx = context.WithValue(ctx, provider.RecordsContextKey, there)
	found, err := k.hosts.Endpoints(ctx)
	if err != nil {
		return err
	}
	wanted, err := k.records.AdjustEndpoints(found)
	if err != nil {
		return err
	}
	made := plan.Plan{
		Policies:       []plan.Policy{plan.Policies[k.told.Policy]},
		Current:        there,
		Desired:        wanted,
		DomainFilter:   endpoint.MatchAllDomainFilters{k.filter, k.records.GetDomainFilter()},
		ManagedRecords: k.told.ManagedDNSRecordTypes,
		ExcludeRecords: k.told.ExcludeDNSRecordTypes,
		OwnerID:        k.records.OwnerID(),
	}
	changes := made.Calculate().Changes
	if !changes.HasChanges() {
		return nil
	}
	return k.records.ApplyChanges(ctx, changes)
}
