package localpg

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, Config{}.validate())
	for name, want := range map[string]string{
		"":                        `"" is not the name of a setting`,
		"fsync = on\nwork_mem":    `"fsync = on\nwork_mem" is not the name of a setting`,
		"unix_socket_directories": "remove unix_socket_directories: Start chooses it",
		"Data_Directory":          "remove Data_Directory: Start chooses it",
	} {
		err := Config{Settings: map[string]string{name: "x"}}.validate()
		require.EqualError(t, err, "localpg: Config.Settings: "+want)
	}
	err := Config{Settings: map[string]string{"my.setting": "a\nfsync = on"}}.validate()
	require.EqualError(t, err, `localpg: Config.Settings: my.setting: put its value on one line: "a\nfsync = on"`)
}

func TestConfigSettingsWin(t *testing.T) {
	t.Parallel()
	conf := Config{Settings: map[string]string{"FSYNC": "on"}}.conf()
	require.Contains(t, conf, "fsync = 'on'\n")
	require.NotContains(t, conf, "fsync = 'off'")
}
