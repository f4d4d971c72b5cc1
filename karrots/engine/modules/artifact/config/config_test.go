package config

import (
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func parsed(t *testing.T, arguments ...string) *Options {
	t.Helper()
	options := &Options{}
	flags := pflag.NewFlagSet(t.Name(), pflag.ContinueOnError)
	options.BindFlags(flags)
	if err := flags.Parse(arguments); err != nil {
		t.Fatal(err)
	}
	return options
}

func TestDefaultsAreTheDocumentedOnes(t *testing.T) {
	options := parsed(t)
	want := Options{
		StorageAddress:           ":9090",
		ArtifactRetentionTTL:     time.Minute,
		ArtifactRetentionRecords: 2,
		ArtifactDigestAlgo:       "sha256",
	}
	if *options != want {
		t.Errorf("got %+v, want %+v", *options, want)
	}
}

func TestFlagsGoBeforeTheEnvironment(t *testing.T) {
	t.Setenv("STORAGE_PATH", "/from/environment")
	t.Setenv("STORAGE_ADDR", "127.0.0.1:1")
	t.Setenv("STORAGE_ADV_ADDR", "example.com")
	options := parsed(t, "--storage-path=/from/flag")
	if options.StoragePath != "/from/flag" {
		t.Errorf("path: got %q", options.StoragePath)
	}
	if options.StorageAddress != "127.0.0.1:1" || options.StorageAdvAddress != "example.com" {
		t.Errorf("addresses: got %q and %q", options.StorageAddress, options.StorageAdvAddress)
	}
}

func TestHost(t *testing.T) {
	for _, test := range []struct{ name, bind, advertised, want string }{
		{"advertised as it is", ":9090", "source-controller.flux-system.svc", "source-controller.flux-system.svc"},
		{"advertised with a port", "127.0.0.1:9090", "127.0.0.1:80", "127.0.0.1:80"},
		{"bound address", "127.0.0.1:9090", "", "127.0.0.1:9090"},
		{"every address", ":9090", "", "localhost:9090"},
		{"every IPv4 address", "0.0.0.0:9090", "", "localhost:9090"},
		{"every IPv6 address", "[::]:9090", "", "localhost:9090"},
		{"IPv6 loopback", "[::1]:9090", "", "[::1]:9090"},
		{"not host and port", "nonsense", "", "nonsense"},
	} {
		t.Run(test.name, func(t *testing.T) {
			options := Options{StorageAddress: test.bind, StorageAdvAddress: test.advertised}
			if got := options.Host(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
