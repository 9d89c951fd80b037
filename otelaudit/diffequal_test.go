package otelaudit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// A time is the same instant in whatever zone it is written, also behind a pointer, and wherever it lies.
func TestDiffComparesInstants(t *testing.T) {
	t.Parallel()
	type event struct {
		At     *time.Time           `audit:"track"`
		List   []*time.Time         `audit:"track"`
		Map    map[string]time.Time `audit:"track"`
		Any    any                  `audit:"track"`
		Secret *time.Time           `audit:"sensitive"`
	}
	of := func(at time.Time) event {
		return event{&at, []*time.Time{&at}, map[string]time.Time{"k": at}, &at, &at}
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	away := noon.In(time.FixedZone("", 3600))
	require.Empty(t, otelaudit.Diff(of(noon), of(away)))
	utc := str("2026-03-01T13:00:00Z")
	require.Equal(t, otelaudit.Changes{
		changed("Any", str("2026-03-01T12:00:00Z"), utc),
		changed("At", str("2026-03-01T12:00:00Z"), utc),
		changed("List", attribute.SliceValue(str("2026-03-01T12:00:00Z")), attribute.SliceValue(utc)),
		changed("Map", attribute.MapValue(attribute.KeyValue{Key: "k", Value: str("2026-03-01T12:00:00Z")}), attribute.MapValue(attribute.KeyValue{Key: "k", Value: utc})),
		changed("Secret", hidden, hidden),
	}, otelaudit.Diff(of(noon), of(away.Add(time.Hour))))
}

// Nil is no value, and neither is what is absent: that goes for sensitive values too.
func TestDiffOfNilAndAbsent(t *testing.T) {
	t.Parallel()
	f := otelaudit.Fields{Track: []string{"a"}, Sensitive: []string{"b"}}
	empty, nils := map[string]any{}, map[string]any{"a": nil, "b": nil}
	for _, c := range [][2]any{{empty, nils}, {nils, empty}, {nil, nils}} {
		changes, err := f.Diff(c[0], c[1])
		require.NoError(t, err)
		require.Empty(t, changes)
	}
	changes, err := f.Diff(nils, map[string]any{"b": "x"})
	require.NoError(t, err)
	require.Equal(t, otelaudit.Changes{changed("b", hidden, hidden)}, changes, "not even that there was none")
}
