package localpg

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Config says what a private cluster is like. The zero value is fast, and forgets on a power cut.
// A named server is used as it is: nothing here changes it (see [Server.Named]).
type Config struct {
	// Durable turns fsync and full_page_writes on, as in production, and puts the cluster on a disk: in $TMPDIR, or else
	// in /var/tmp. Defaults to false: off, for speed in tests, and in $TMPDIR, or else in /dev/shm when 2 GiB are free
	// there, or else in /tmp. synchronous_commit is on either way: it costs nothing without fsync, and a crash of
	// Postgres alone (see [Server.Restart]) loses no commit.
	Durable bool

	// Private starts a private cluster also where OTELAUDIT_POSTGRES_URL names a server: for what must not be done to
	// somebody's server, such as a crash. Defaults to false.
	Private bool

	// Settings are further settings of postgresql.conf, by name; each value is written there between quotes.
	// They win over the defaults of this package. Defaults to none.
	Settings map[string]string
}

var settingName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.]*$`)

func (cfg Config) validate() error {
	for name, value := range cfg.Settings {
		switch {
		case !settingName.MatchString(name):
			return fmt.Errorf("localpg: Config.Settings: %q is not the name of a setting", name)
		case slices.Contains([]string{"data_directory", "port", "unix_socket_directories"}, strings.ToLower(name)):
			return fmt.Errorf("localpg: Config.Settings: remove %s: Start chooses it", name)
		case strings.ContainsAny(value, "\n\r\x00"):
			return fmt.Errorf("localpg: Config.Settings: %s: put its value on one line: %q", name, value)
		}
	}
	return nil
}

// conf is what postgresql.conf says beyond initdb's defaults.
func (cfg Config) conf() string {
	settings := map[string]string{
		// In the cluster's directory: a shutdown that comes at the wrong moment leaves what is elsewhere.
		"dynamic_shared_memory_type": "mmap",

		"listen_addresses": "",
		"log_checkpoints":  "off", // every CREATE DATABASE makes one
		"max_connections":  "200",
		"shared_buffers":   "128MB",
	}
	if !cfg.Durable {
		settings["fsync"] = "off"
		settings["full_page_writes"] = "off"
		settings["max_wal_size"] = "256MB" // it may be memory, and checkpoints are cheap
	}
	for name, value := range cfg.Settings {
		settings[strings.ToLower(name)] = value
	}

	quote := strings.NewReplacer(`\`, `\\`, `'`, `''`)
	var conf strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&conf, "%s = '%s'\n", name, quote.Replace(settings[name]))
	}
	return conf.String()
}
