package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// The tests that run the program do not run in parallel: it sets the default trail.

func TestRiver(t *testing.T) { //nolint:paralleltest // see above
	url := localpg.Database(t)
	var out bytes.Buffer
	require.NoError(t, runIn(t.Context(), &out, url))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Equal(t, "river: tracked=10 postgres=10 deferred=1 refused=2", lines[len(lines)-1], "%s", &out)

	pg, err := postgres.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pg.Shutdown(context.WithoutCancel(t.Context()))) })
	page, err := pg.Query(t.Context(), query.Filter{}, query.PageRequest{Limit: query.MaxLimit})
	require.NoError(t, err)
	byAction := map[string][]*otelaudit.Record{}
	for _, r := range page.Records {
		byAction[r.Action] = append(byAction[r.Action], r)
	}
	of := func(action, invoice string) *otelaudit.Record {
		t.Helper()
		for _, r := range byAction[action] {
			if r.Target.ID == invoice {
				return r
			}
		}
		require.Fail(t, "not recorded", "%s of invoice %s", action, invoice)
		return nil
	}
	alice := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", AuthMethod: "basic", Trust: otelaudit.TrustVerified}

	t.Run("the job was Alice's", func(t *testing.T) {
		require.Len(t, byAction["invoice.pay"], 1)
		approved, paid := of("invoice.approve", "41"), of("invoice.pay", "41")
		require.Equal(t, alice, approved.Actor)
		presented := alice
		presented.Trust = otelaudit.TrustPropagated
		require.Equal(t, otelaudit.Actor{
			Type: otelaudit.ActorService, ID: serviceAPI, AuthMethod: "message_token", Trust: otelaudit.TrustPropagated, OnBehalfOf: &presented,
		}, paid.Actor)
		require.NotEmpty(t, approved.Operation)
		require.Equal(t, approved.Operation, paid.Operation)
		require.True(t, paid.TraceID.IsValid())
		require.NotEqual(t, approved.TraceID, paid.TraceID)
		require.Equal(t, otelaudit.Request{}, paid.Request, "a job is no request")
	})

	t.Run("so was the receipt", func(t *testing.T) {
		for _, invoice := range []string{"41", "42"} {
			approved, sent := of("invoice.approve", invoice), of("receipt.send", invoice)
			require.Equal(t, alice, sent.Actor)
			require.Equal(t, approved.Operation, sent.Operation)
			require.Equal(t, "/invoices/{id}/approve", sent.Request.Route)
			require.NotEqual(t, approved.TraceID, sent.TraceID)
		}
	})

	t.Run("the forged jobs were nobody's", func(t *testing.T) {
		refused := byAction["otelaudit.actor_token.reject"]
		require.Len(t, refused, 2)
		for _, r := range refused {
			require.Equal(t, otelaudit.Anonymous(), r.Actor)
			require.Equal(t, otelaudit.Denied, r.Outcome)
			require.Equal(t, []attribute.KeyValue{attribute.String("reason", "message")}, r.Metadata)
			require.Empty(t, r.Operation)
		}
	})

	t.Run("the nightly billing was the clock's", func(t *testing.T) {
		require.Len(t, byAction["billing.run"], 1)
		require.Equal(t, otelaudit.System("nightly-billing"), byAction["billing.run"][0].Actor)
	})

	t.Run("no token in the trail", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		defer conn.Close(t.Context())
		var hits int
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM otelaudit.activity a, river_job j
			WHERE strpos(a::text, split_part(j.metadata->>$1, '.', 3)) > 0`, tokenKey).Scan(&hits))
		require.Zero(t, hits)
		require.NotContains(t, out.String(), "m1.demo-1")
	})
}

func TestARowThatIsMissing(t *testing.T) { //nolint:paralleltest // see above
	url := localpg.Database(t)
	pg, err := postgres.Open(t.Context(), url)
	require.NoError(t, err)
	require.NoError(t, pg.Migrate(t.Context()))
	require.NoError(t, pg.Shutdown(t.Context()))
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `
		CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN DELETE FROM otelaudit.activity a WHERE a.time = NEW.time AND a.id = NEW.id; RETURN NULL; END';
		CREATE TRIGGER forget AFTER INSERT ON otelaudit.activity
			FOR EACH ROW WHEN (NEW.action = 'invoice.pay') EXECUTE FUNCTION forget();`)
	require.NoError(t, err)

	var out bytes.Buffer
	require.ErrorContains(t, runIn(t.Context(), &out, url), "the trails confirmed 10 records, and the table has 9")
	require.Contains(t, out.String(), "river: tracked=10 postgres=9 deferred=0 refused=2\n")
}
