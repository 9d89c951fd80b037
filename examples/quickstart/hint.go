package main

import (
	"fmt"
	"io"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// sayWhere says where the records go.
func sayWhere(out io.Writer, dir string, db *database) {
	fmt.Fprintf(out, "The journal is in %s. It stays for the next run; delete it when you like.\n", dir)
	switch {
	case db == nil:
		fmt.Fprintf(out, "There is no Postgres here, so the journal alone serves. A later run with OTELAUDIT_POSTGRES_URL brings all that it\n"+
			"holds into the table there. (%v.)\n\n", localpg.ErrNotInstalled)
	case db.vanishes:
		fmt.Fprint(out, "The activity table is in a private Postgres, which vanishes at the end. A later run with OTELAUDIT_POSTGRES_URL\n"+
			"brings all that the journal holds into a table that stays.\n\n")
	default:
		fmt.Fprint(out, "The activity table is in the Postgres that OTELAUDIT_POSTGRES_URL names, schema otelaudit.\n\n")
	}
}

// sayWhatWasLeft says how many records of earlier runs have come into the table with those of this run.
func sayWhatWasLeft(out io.Writer, s trail.Status) {
	for _, sink := range s.Sinks {
		if sink.Required && sink.Exported > s.Emitted {
			fmt.Fprintf(out, "\nThe table has also got %d records that earlier runs left in the journal.\n", sink.Exported-s.Emitted)
		}
	}
}

// howToCurl has one parameter, the API's URL.
const howToCurl = `
The API stays at %[1]s until Ctrl-C. The users are alice, bob, carol and dana, their passwords NAME-demo:

  token=$(curl -s %[1]s/login -d '{"user":"bob","password":"bob-demo"}' | sed 's/.*"token":"\(.*\)".*/\1/')
  curl %[1]s/invoices -H "Authorization: Bearer $token" -d '{"customer":"carol","cents":990}'
`

// howToTail has one parameter, the journal's directory.
const howToTail = `
The journal:

  go run ./cmd/otelaudit journal tail -f '%s'
`

// howToLook has one parameter, what psql takes for the database.
const howToLook = `
The table:

  psql %s -c 'SELECT time, actor_id, action, target_id, outcome FROM otelaudit.activity ORDER BY time DESC LIMIT 20'

`
