package trail

import (
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/integrity"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// items are what a deliverer has read from the journal. Their memory is used again.
type items struct {
	records    []*otelaudit.Record
	seqs       []uint64 // of records
	data       [][]byte // of records, as it stands in the journal
	unreadable []DeadLetter
	memory     []*otelaudit.Record
	errs       []error // why a record of memory is unreadable
	decoders   [2]integrity.Decoder
}

// load decodes what the journal has given.
func (d *deliverer) load(records []journal.Record) {
	d.decode(records)
	m := &d.items
	m.records, m.seqs, m.data, m.unreadable = m.records[:0], m.seqs[:0], m.data[:0], m.unreadable[:0]
	for i := range records {
		r, data := m.memory[i], records[i].Data
		if err := m.errs[i]; err != nil {
			m.unreadable = append(m.unreadable, d.letter(records[i].Seq, data, err))
			continue
		}
		if data == nil {
			data = integrity.AppendCanonical(nil, r)
		}
		m.records, m.seqs, m.data = append(m.records, r), append(m.seqs, records[i].Seq), append(m.data, data)
	}
}

// decodeTogether is how many records two goroutines decode together: the exporter has nothing to do until all of them are there.
const decodeTogether = 512

// decode decodes records into memory, and notes in errs what it cannot.
func (d *deliverer) decode(records []journal.Record) {
	m := &d.items
	for len(m.memory) < len(records) {
		m.memory, m.errs = append(m.memory, new(otelaudit.Record)), append(m.errs, nil)
	}
	part := func(decoder *integrity.Decoder, from, to int) {
		for i := from; i < to; i++ {
			m.errs[i] = decode(decoder, d.journal.Dir(), &records[i], m.memory[i], d.store.trail.set)
		}
	}
	n := len(records)
	if n < decodeTogether {
		part(&m.decoders[0], 0, n)
		return
	}
	var second sync.WaitGroup
	second.Go(func() { part(&m.decoders[1], n/2, n) })
	part(&m.decoders[0], 0, n/2)
	second.Wait()
}

// actionGap is the record that stands for those that the journal refused: their Track returned an error.
const actionGap = "otelaudit.journal.gap"

// decode makes r the record that the journal in dir has under jr. A gap is recorded by resource.
func decode(decoder *integrity.Decoder, dir string, jr *journal.Record, r *otelaudit.Record, resource attribute.Set) error {
	if jr.Gap == nil {
		return decoder.Decode(jr.Data, r)
	}
	*r = *gapRecord(dir, jr, resource)
	return nil
}

func gapRecord(dir string, jr *journal.Record, resource attribute.Set) *otelaudit.Record {
	gap, to := jr.Gap, jr.Gap.To.UTC().Truncate(time.Microsecond)
	name := nameOf(dir)
	return &otelaudit.Record{
		// The same for each sink and each delivery.
		ID:       otelaudit.DeriveID(actionGap, fmt.Sprintf("%s %d %d %d", name, jr.Seq, gap.From.UnixNano(), gap.To.UnixNano())),
		Time:     to,
		Observed: to,
		Action:   actionGap,
		Verb:     "GAP",
		Actor:    otelaudit.System("otelaudit"),
		Target:   otelaudit.Target{Type: "journal", ID: otelaudit.StorableID(name)},
		Outcome:  otelaudit.Failure,
		Metadata: []attribute.KeyValue{
			attribute.String("from", gap.From.UTC().Format(time.RFC3339Nano)),
			attribute.Int64("refused", int64(gap.Refused)), //nolint:gosec // a count
			attribute.String("to", gap.To.UTC().Format(time.RFC3339Nano)),
		},
		Resource: resource,
	}
}
