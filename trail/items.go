package trail

import (
	"fmt"
	"path/filepath"
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
}

// load decodes what the journal has given.
func (d *deliverer) load(records []journal.Record) {
	m := &d.items
	m.records, m.seqs, m.data, m.unreadable = m.records[:0], m.seqs[:0], m.data[:0], m.unreadable[:0]
	for i := range records {
		if i == len(m.memory) {
			m.memory = append(m.memory, new(otelaudit.Record))
		}
		r, data := m.memory[i], records[i].Data
		if err := decode(&d.decoder, d.journal.Dir(), &records[i], r, d.store.trail.set); err != nil {
			m.unreadable = append(m.unreadable, d.letter(records[i].Seq, data, err))
			continue
		}
		if data == nil {
			data = integrity.AppendCanonical(nil, r)
		}
		m.records, m.seqs, m.data = append(m.records, r), append(m.seqs, records[i].Seq), append(m.data, data)
	}
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
	name := filepath.Base(dir)
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
