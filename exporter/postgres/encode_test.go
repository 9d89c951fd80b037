package postgres

import (
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

func TestColumnsAndSchemaVersionAgree(t *testing.T) {
	t.Parallel()
	require.Len(t, strings.Split(columns, ","), columnCount)
	require.Equal(t, otelaudit.SchemaVersion, strconv.Itoa(schemaVersion))
}

func TestStreamHasTheRowsOfThePart(t *testing.T) {
	t.Parallel()
	var e encoder
	e.buf, e.ends = []byte("aabbcdddd"), []int{2, 4, 4, 5, 9} // the third record was not storable
	for _, c := range []struct {
		part []int
		rows string
	}{
		{nil, ""},
		{[]int{0}, "aa"},
		{[]int{4}, "dddd"},
		{[]int{0, 1, 3, 4}, "aabbcdddd"},
		{[]int{1, 3}, "bbc"},
		{[]int{0, 4}, "aadddd"},
	} {
		got, err := io.ReadAll(e.stream(c.part))
		require.NoError(t, err)
		require.Equal(t, string(copyHeader)+c.rows+string(copyTrailer), string(got))
	}
	require.Len(t, *e.stream([]int{0, 1}), 3, "rows that follow each other are one piece")
	require.Equal(t, "aabbcdddd", string(e.buf), "reading changes nothing")
}

func TestEncodingDoesNotAllocate(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	rs := typicals(t, 10, time.Now())
	var e encoder
	encode := func() {
		e.buf, e.ends = e.buf[:0], e.ends[:0]
		for _, r := range rs {
			if e.add(r) != nil {
				t.Fatal("not storable")
			}
		}
	}
	encode()
	require.Zero(t, testing.AllocsPerRun(100, encode))
}

func TestResourcesAreTakenApart(t *testing.T) {
	t.Parallel()
	var e encoder
	for range 2 * maxKeptResources { // more than it remembers
		for _, set := range resources {
			var fresh encoder
			require.Equal(t, fresh.resource(&set), e.resource(&set))
		}
	}
	require.Len(t, e.resources, len(resources))
}

func TestWhatIsNoRecordIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*otelaudit.Record){
		"no id":                func(r *otelaudit.Record) { r.ID = otelaudit.ID{} },
		"before 1970":          func(r *otelaudit.Record) { r.Time = time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC) },
		"no time":              func(r *otelaudit.Record) { r.Time = time.Time{} },
		"beyond 9999":          func(r *otelaudit.Record) { r.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"nanoseconds":          func(r *otelaudit.Record) { r.Time = r.Time.Add(1) },
		"observed nanoseconds": func(r *otelaudit.Record) { r.Observed = r.Observed.Add(1) },
		"a circle of actors": func(r *otelaudit.Record) {
			r.Actor.OnBehalfOf = new(otelaudit.Actor)
			r.Actor.OnBehalfOf.OnBehalfOf = r.Actor.OnBehalfOf
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := typical(t, 1, time.Now())
			var e encoder
			require.NoError(t, e.add(r))
			spoil(r)
			require.ErrorIs(t, e.add(r), ErrNotStorable)
			require.Equal(t, e.ends[0], e.ends[1], "its row is empty")
		})
	}
}
