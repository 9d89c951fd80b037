package audithttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

// 64 clients, each somebody else, on connections that they take from one pool: no activity ever carries another's actor,
// neither in the handler nor in a goroutine of the request, which may outlive it.
func TestNoActivityCarriesAnothersActor(t *testing.T) {
	t.Parallel()
	const clients, requests = 64, 20
	check := func(_ context.Context, user, password string) (otelaudit.Actor, error) {
		if password != "secret of "+user {
			return otelaudit.Actor{}, audithttp.ErrUnauthenticated
		}
		a := otelaudit.User(user)
		a.Tenant = "tenant of " + user
		return a.For(otelaudit.User("principal of " + user)), nil
	}
	m, tl := newMemory(t), newTelemetry(t)
	late := make(chan error, clients*requests)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /as/{user}/{n}", func(w http.ResponseWriter, r *http.Request) {
		a := otelaudit.Activity{
			Action: "number.say",
			Target: otelaudit.Target{Type: "number", ID: r.PathValue("n")},
			// What the client wanted to be: what the record's actor must be.
			Metadata: []attribute.KeyValue{attribute.String("expected", r.PathValue("user"))},
		}
		go func() { late <- otelaudit.Track(r.Context(), a) }()
		if err := otelaudit.Track(r.Context(), a); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	server := httptest.NewServer(m.into(tl.mw(audithttp.NewMiddleware(audithttp.BasicAuth(check))(mux))))
	defer server.Close()

	done := make(chan error, clients)
	for i := range clients {
		user := fmt.Sprintf("user-%02d", i)
		go func() {
			for n := range requests {
				if err := post(t.Context(), server, user, n); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range clients {
		require.NoError(t, <-done)
	}
	for range clients * requests {
		require.NoError(t, <-late)
	}

	records := m.all()
	require.Len(t, records, 2*clients*requests)
	seen := make(map[string]int)
	for _, r := range records {
		want := r.Metadata[0].Value.AsString()
		require.Equal(t, want, r.Actor.ID)
		require.Equal(t, "tenant of "+want, r.Actor.Tenant)
		require.Equal(t, "principal of "+want, r.Actor.OnBehalfOf.ID)
		require.Equal(t, "/as/"+want+"/"+r.Target.ID, r.Request.Path)
		require.Equal(t, want, r.Request.UserAgent)
		require.Equal(t, "/as/{user}/{n}", r.Request.Route)
		seen[want+"/"+r.Target.ID]++
	}
	require.Len(t, seen, clients*requests)
}

func post(ctx context.Context, server *httptest.Server, user string, n int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/as/%s/%d", server.URL, user, n), http.NoBody)
	if err != nil {
		return err
	}
	r.SetBasicAuth(user, "secret of "+user)
	r.Header.Set("User-Agent", user)
	resp, err := server.Client().Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", user, resp.Status)
	}
	return nil
}
