package localpg

import "os"

// machine is what Start reads of the computer that it runs on; tests put their own.
type machine struct {
	url     string   // a server to use as it is
	service string   // what libpq's clients add to every connection, as in $PGSERVICE
	path    string   // where programs are looked for first, as in $PATH
	globs   []string // directories where they are looked for last

	// Where the directories of private clusters go.
	temp   string // all of them if it is not empty, as in $TMPDIR
	memory string // else those that are not durable
	disk   string // else those that are
}

func thisMachine() machine {
	return machine{
		url:     os.Getenv("OTELAUDIT_POSTGRES_URL"),
		service: os.Getenv("PGSERVICE"),
		path:    os.Getenv("PATH"),
		globs: []string{ // install.sh has this list too
			"/usr/lib/postgresql/*/bin",
			"/usr/lib/postgresql*/bin",
			"/usr/libexec/postgresql*",
			"/usr/pgsql-*/bin",
			"/usr/local/pgsql/bin",
			"/opt/homebrew/opt/postgresql*/bin",
			"/usr/local/opt/postgresql*/bin",
			"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
			"/opt/local/lib/postgresql*/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin",
		},
		temp:   os.Getenv("TMPDIR"),
		memory: "/dev/shm",
		disk:   "/var/tmp", // unlike /tmp, which is in memory on some systems
	}
}
