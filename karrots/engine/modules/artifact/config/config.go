// Package config holds the settings of the artifact store.
//
// This module stands in for the published one of the same name, which the Go module proxy does not serve. It was
// written from the calls that source-controller makes and from that controller's documentation of its flags.
package config

import (
	"net"
	"os"
	"time"

	"github.com/spf13/pflag"
)

// Options are the command line settings of the store and of its file server.
type Options struct {
	// StoragePath is the folder that holds the artifacts; it must exist.
	StoragePath string
	// StorageAddress is what the file server binds to.
	StorageAddress string
	// StorageAdvAddress is the host and port in artifact URLs; empty means one derived from StorageAddress.
	StorageAdvAddress string
	// ArtifactRetentionTTL is how long a superseded artifact is kept at most.
	ArtifactRetentionTTL time.Duration
	// ArtifactRetentionRecords is how many artifacts of one object are kept at most, the current one included.
	ArtifactRetentionRecords int
	// ArtifactDigestAlgo names the algorithm that new artifacts are digested with.
	ArtifactDigestAlgo string
}

// BindFlags registers the flags; the environment gives their defaults as in the controller's own deployment.
func (o *Options) BindFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.StoragePath, "storage-path", fromEnvironment("STORAGE_PATH", ""),
		"The folder artifacts are kept in.")
	flags.StringVar(&o.StorageAddress, "storage-addr", fromEnvironment("STORAGE_ADDR", ":9090"),
		"The address the file server binds to.")
	flags.StringVar(&o.StorageAdvAddress, "storage-adv-addr", fromEnvironment("STORAGE_ADV_ADDR", ""),
		"The address put into artifact URLs.")
	flags.DurationVar(&o.ArtifactRetentionTTL, "artifact-retention-ttl", time.Minute,
		"How long a superseded artifact is kept at most.")
	flags.IntVar(&o.ArtifactRetentionRecords, "artifact-retention-records", 2,
		"How many artifacts of one object are kept at most.")
	flags.StringVar(&o.ArtifactDigestAlgo, "artifact-digest-algo", "sha256",
		"The digest algorithm of new artifacts: sha256, sha384 or sha512.")
}

// Host is the host and port that consumers of artifacts are told.
func (o *Options) Host() string {
	if o.StorageAdvAddress != "" {
		return o.StorageAdvAddress
	}
	host, port, err := net.SplitHostPort(o.StorageAddress)
	if err != nil {
		return o.StorageAddress
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func fromEnvironment(name, fallback string) string {
	if value, set := os.LookupEnv(name); set {
		return value
	}
	return fallback
}
