package audithttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

// 64 requests over connections, each of which leaves a job behind. The jobs go on when the requests are cancelled, their spans
// have ended, and chi and net/http have taken back what they recycle.
func TestDetachedWorkKeepsTheRequestsFacts(t *testing.T) {
	t.Parallel()
	const requests = 64
	m, tl := newMemory(t), newTelemetry(t)
	over, done := make(chan struct{}), make(chan error, 2*requests)
	user := func(r *http.Request) (otelaudit.Actor, error) { return otelaudit.User(r.UserAgent()), nil }
	router := chi.NewRouter()
	router.Use(tl.mw, audithttp.NewMiddleware(user, audithttp.WithRoute(chiPattern)))
	router.Get("/jobs/{id}", func(_ http.ResponseWriter, r *http.Request) {
		ctx := otelaudit.Detach(r.Context())
		job := otelaudit.Activity{Action: "job.run", Target: otelaudit.Target{Type: "job", ID: chi.URLParam(r, "id")}}
		go func() {
			done <- otelaudit.Track(ctx, job) // perhaps while the handler is still running
			<-over
			trace.SpanFromContext(ctx).AddEvent("late")
			if err := ctx.Err(); err != nil {
				done <- err
				return
			}
			done <- otelaudit.Track(ctx, job)
		}()
	})
	router.Get("/other/{id}", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(m.into(router))
	for i := range requests {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/jobs/%d", server.URL, i), http.NoBody)
		require.NoError(t, err)
		r.Header.Set("User-Agent", fmt.Sprintf("user-%d", i))
		resp, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		fetch(t, server, "/other/1") // takes over what chi had for the job's request
	}
	server.Close() // waits for the handlers, and so for the ends of their spans
	close(over)
	for range 2 * requests {
		require.NoError(t, <-done)
	}

	ended := map[trace.SpanID]trace.TraceID{}
	for _, span := range tl.spans.Ended() {
		ended[span.SpanContext().SpanID()] = span.SpanContext().TraceID()
		require.Empty(t, span.Events())
	}
	records := m.all()
	require.Len(t, records, 2*requests)
	for _, r := range records {
		require.Equal(t, "user-"+r.Target.ID, r.Actor.ID)
		require.Equal(t, "user-"+r.Target.ID, r.Request.UserAgent)
		require.Equal(t, "/jobs/"+r.Target.ID, r.Request.Path)
		require.Equal(t, "/jobs/{id}", r.Request.Route)
		require.Equal(t, "127.0.0.1", r.Request.PeerAddress)
		require.Equal(t, ended[r.SpanID], r.TraceID)
		require.True(t, r.TraceID.IsValid())
	}
}
