package query_test

import (
	"bytes"
	"cmp"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// passing gives copies of records that are emptied once the next is asked for.
func passing(records []*otelaudit.Record) iter.Seq2[*otelaudit.Record, error] {
	return func(yield func(*otelaudit.Record, error) bool) {
		for _, r := range records {
			passing := r.Clone()
			if !yield(passing, nil) {
				return
			}
			passing.Reset()
		}
	}
}

// The pages of a scan, one after the other, are all that match, newest first, each once: whatever the order is in which they
// are read, and however often.
func TestScanPages(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 30, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		records := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *otelaudit.Record {
			micros, id := rapid.IntRange(0, 9).Draw(t, "time"), rapid.ByteRange(1, 9).Draw(t, "id")
			r := &otelaudit.Record{ID: otelaudit.ID{id}, Time: start.Add(time.Duration(micros) * time.Microsecond), Tenant: "a"}
			if (micros+int(id))%4 == 0 { // of the key, so that the same key is the same record
				r.Tenant = "b"
			}
			r.Metadata = []attribute.KeyValue{attribute.Int("n", micros<<8|int(id))}
			return r
		}), 0, 60).Draw(rt, "records")
		f := query.Filter{Tenant: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(rt, "tenant")}

		want := slices.DeleteFunc(slices.Clone(records), func(r *otelaudit.Record) bool { return !f.Matches(r) })
		slices.SortFunc(want, func(a, b *otelaudit.Record) int {
			return cmp.Or(b.Time.Compare(a.Time), bytes.Compare(b.ID[:], a.ID[:]))
		})
		want = slices.CompactFunc(want, func(a, b *otelaudit.Record) bool { return a.Time.Equal(b.Time) && a.ID == b.ID })

		got := []*otelaudit.Record{}
		p := query.PageRequest{Limit: rapid.IntRange(1, 20).Draw(rt, "limit")}
		for {
			page, err := query.Scan(passing(records), f, p)
			require.NoError(rt, err)
			require.LessOrEqual(rt, len(page.Records), p.Limit)
			got = append(got, page.Records...)
			if page.Next == "" {
				break
			}
			require.Len(rt, page.Records, p.Limit, "only the last page may be short")
			p.After = page.Next
		}
		require.Equal(rt, want, got)
	})
}

// However many match, little more than a page of them is kept.
func TestScanKeepsOnePage(t *testing.T) {
	t.Parallel()
	const limit, n = 7, 10_000
	records := func(yield func(*otelaudit.Record, error) bool) {
		for i := range n {
			if !yield(&otelaudit.Record{ID: otelaudit.ID{1}, Time: time.UnixMicro(int64(i))}, nil) {
				return
			}
		}
	}
	page, err := query.Scan(records, query.Filter{}, query.PageRequest{Limit: limit})
	require.NoError(t, err)
	require.Len(t, page.Records, limit)
	require.Equal(t, time.UnixMicro(n-1), page.Records[0].Time)
	require.Less(t, cap(page.Records), 4*limit)
}

// Of what comes twice, as after a retry whose first try had arrived, the first counts.
func TestScanTakesTheFirstOfTwo(t *testing.T) {
	t.Parallel()
	r := recorded(t, otelaudit.Activity{Action: "a.b"})
	again := r.Clone()
	again.Operation = "another"
	page, err := query.Scan(passing([]*otelaudit.Record{r, again}), query.Filter{}, query.PageRequest{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, []*otelaudit.Record{r}, page.Records)
	require.Empty(t, page.Next)
}

func TestScanStopsAtAnError(t *testing.T) {
	t.Parallel()
	damaged := errors.New("damaged")
	r := recorded(t, otelaudit.Activity{Action: "a.b"})
	given := 0
	page, err := query.Scan(func(yield func(*otelaudit.Record, error) bool) {
		for _, err := range []error{nil, damaged, nil} {
			given++
			if !yield(r, err) {
				return
			}
		}
	}, query.Filter{}, query.PageRequest{})
	require.Equal(t, damaged, err)
	require.Empty(t, page)
	require.Equal(t, 2, given)
}

func TestScanRefusesBeforeItReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter query.Filter
		page   query.PageRequest
	}{
		{filter: query.Filter{InChain: true}},
		{filter: query.Filter{Metadata: []attribute.KeyValue{attribute.String("k", "\x00")}}},
		{page: query.PageRequest{Limit: -1}},
		{page: query.PageRequest{After: "?"}},
	} {
		_, err := query.Scan(func(func(*otelaudit.Record, error) bool) { t.Error("read") }, c.filter, c.page)
		require.ErrorIs(t, err, query.ErrInvalid)
	}
}
