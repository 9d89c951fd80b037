package audithttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// memory is a trail that keeps its records.
type memory struct {
	recorder *otelaudit.Recorder

	mu      sync.Mutex // guards records
	records []*otelaudit.Record
}

var _ otelaudit.Trail = (*memory)(nil)

func newMemory(t *testing.T) *memory {
	t.Helper()
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{})
	require.NoError(t, err)
	return &memory{recorder: recorder}
}

func (m *memory) Track(ctx context.Context, a otelaudit.Activity) (otelaudit.Receipt, error) {
	var r otelaudit.Record
	if _, err := m.recorder.Record(ctx, &a, &r); err != nil {
		return otelaudit.Receipt{}, &otelaudit.TrackError{Activities: []otelaudit.Activity{a}, Err: err}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records = append(m.records, &r)
	return otelaudit.Receipt{ID: r.ID, Time: r.Time}, nil
}

func (m *memory) TrackAll(ctx context.Context, as []otelaudit.Activity) ([]otelaudit.Receipt, error) {
	var receipts []otelaudit.Receipt
	for _, a := range as {
		receipt, err := m.Track(ctx, a)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, receipt)
	}
	return receipts, nil
}

func (m *memory) all() []*otelaudit.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.records)
}

// only returns the one record there is.
func (m *memory) only(t *testing.T) *otelaudit.Record {
	t.Helper()
	records := m.all()
	require.Len(t, records, 1)
	return records[0]
}

// into puts m into the context of h's requests.
func (m *memory) into(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(otelaudit.ContextWithTrail(r.Context(), m)))
	})
}

// tracking returns a handler that tracks one activity and answers 200, or 500 where that failed.
func tracking() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := otelaudit.Track(r.Context(), otelaudit.Activity{Action: "invoice.read"}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// get serves a GET of target with h, without a network.
func get(t *testing.T, h http.Handler, target string, change ...func(*http.Request)) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// actorOf returns an actor function that always says a.
func actorOf(a otelaudit.Actor) func(*http.Request) (otelaudit.Actor, error) {
	return func(*http.Request) (otelaudit.Actor, error) { return a, nil }
}
