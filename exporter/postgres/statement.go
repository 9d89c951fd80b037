package postgres

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// statement is a SELECT with its parameters. Values get into it as parameters only.
type statement struct {
	sql     strings.Builder
	values  [][]byte
	oids    []uint32
	formats []int16
}

const (
	textFormat   = 0
	binaryFormat = 1

	newestFirst = ` ORDER BY time DESC, id DESC LIMIT `
)

// selectSQL returns the statement for at most limit records that match f behind p's place, or nil where f can match none.
func selectSQL(f query.Filter, p query.PageRequest, limit int) (*statement, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	after, follows, err := p.Start()
	if err != nil {
		return nil, err
	}
	s := new(statement)
	where := s.conditions(f)
	if follows {
		// The first says nothing more than the second, but the planner leaves out partitions by it.
		at := s.timestamp(after.Time)
		where = append(where, "time <= "+at, "(time, id) < ("+at+", "+s.uuid(after.ID)+")")
	}
	if f.Actor.IsZero() {
		s.write(where, s.number(limit))
		return s, nil
	}
	actors := wanted(f.Actor)
	if len(actors) == 0 {
		return nil, nil //nolint:nilnil // no error, and nothing to ask the database
	}
	acted := s.any(actors, s.acted)
	n := s.number(limit)
	if !f.InChain {
		s.write(append(where, acted), n)
		return s, nil
	}
	// Two arms, because with OR neither would use its index. The second leaves out what the first has.
	behalf := s.any(actors, s.actedFor)
	s.sql.WriteString("(")
	s.write(append(slices.Clip(where), acted), n)
	s.sql.WriteString(") UNION ALL (")
	s.write(append(slices.Clip(where), behalf, "NOT "+acted), n)
	s.sql.WriteString(")" + newestFirst + n)
	return s, nil
}

// write adds a SELECT of the newest rows that meet all conditions.
func (s *statement) write(conditions []string, limit string) {
	s.sql.WriteString("SELECT " + columns + " FROM otelaudit.activity")
	for i, c := range conditions {
		if i == 0 {
			s.sql.WriteString(" WHERE ")
		} else {
			s.sql.WriteString(" AND ")
		}
		s.sql.WriteString(c)
	}
	s.sql.WriteString(newestFirst + limit)
}

// conditions are those of f but for the actor's.
func (s *statement) conditions(f query.Filter) []string {
	var where []string
	equal := func(column, value string) {
		if value != "" {
			where = append(where, column+" = "+s.text(value))
		}
	}
	// As records hold them: what was too long or had control characters is found by what it was called all the same.
	equal("target_type", otelaudit.StorableType(f.Target.Type))
	equal("target_id", otelaudit.StorableID(f.Target.ID))
	if prefix, ok := strings.CutSuffix(f.Action, ".*"); ok {
		// From "invoice." to before "invoice/", the byte behind the dot: by bytes, as the column is compared.
		where = append(where, "action >= "+s.text(prefix+"."), "action < "+s.text(prefix+"/"))
	} else {
		equal("action", otelaudit.StorableType(f.Action))
	}
	switch len(f.Outcomes) {
	case 0:
	case 1:
		equal("outcome", string(f.Outcomes[0]))
	default:
		where = append(where, "outcome = ANY ("+s.outcomes(f.Outcomes)+")")
	}
	equal("tenant_id", otelaudit.StorableID(f.Tenant))
	equal("operation_id", otelaudit.StorableID(f.Operation))
	if f.TraceID.IsValid() {
		where = append(where, "trace_id = "+s.param(pgtype.ByteaOID, binaryFormat, f.TraceID[:]))
	}
	if !f.From.IsZero() {
		where = append(where, "time >= "+s.timestamp(f.From))
	}
	if !f.To.IsZero() {
		where = append(where, "time < "+s.timestamp(f.To))
	}
	for i := range f.Metadata {
		where = append(where, "metadata @> "+s.jsonb(attrjson.AppendObject(nil, f.Metadata[i:i+1])))
	}
	return where
}

// wanted returns what to look for to find a: none where no record can have it.
func wanted(a otelaudit.Actor) []draft {
	reserved := a.ID == anonymousID || a.ID == unknownID
	switch {
	case a.Type == "" && reserved: // as the type user, these are nobody, whose record has no id
		return []draft{{string(otelaudit.ActorService), a.ID}, {string(otelaudit.ActorSystem), a.ID}}
	case a.Type == otelaudit.ActorUser && reserved:
		return nil
	}
	return []draft{draftOf(a.Type, otelaudit.StorableID(a.ID))}
}

// any is a condition that is met where that of one of actors is.
func (s *statement) any(actors []draft, condition func(draft) string) string {
	conditions := make([]string, len(actors))
	for i, a := range actors {
		conditions[i] = condition(a)
	}
	return "(" + strings.Join(conditions, " OR ") + ")"
}

func (s *statement) acted(d draft) string {
	condition := "actor_id = " + s.text(d.id)
	if d.kind != "" {
		condition = "(" + condition + " AND actor_type = " + s.text(d.kind) + ")"
	}
	return condition
}

func (s *statement) actedFor(d draft) string {
	b := append([]byte(nil), "[{"...)
	b = appendEntry(b, entryType, d.kind)
	b = appendEntry(b, entryID, d.id)
	return "on_behalf_of @> " + s.jsonb(append(b, "}]"...))
}

// param adds a parameter, and returns how the SQL names it.
func (s *statement) param(oid uint32, format int16, value []byte) string {
	s.values = append(s.values, value)
	s.oids = append(s.oids, oid)
	s.formats = append(s.formats, format)
	return "$" + strconv.Itoa(len(s.values))
}

func (s *statement) text(v string) string {
	return s.param(pgtype.TextOID, textFormat, []byte(v))
}

func (s *statement) jsonb(v []byte) string {
	return s.param(pgtype.JSONBOID, textFormat, v)
}

func (s *statement) number(v int) string {
	return s.param(pgtype.Int8OID, textFormat, strconv.AppendInt(nil, int64(v), 10))
}

func (s *statement) uuid(v otelaudit.ID) string {
	return s.param(pgtype.UUIDOID, binaryFormat, v[:])
}

// outcomes are words without anything to quote: Filter.Validate saw to it.
func (s *statement) outcomes(vs []otelaudit.Outcome) string {
	b := []byte{'{'}
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return s.param(pgtype.TextArrayOID, textFormat, append(b, '}'))
}

// timestamp rounds up: stored times are whole microseconds, so that "at or after" and "before" a time mean the same for the
// next whole one.
func (s *statement) timestamp(t time.Time) string {
	switch {
	case t.Year() < 1:
		t = time.Time{}
	case t.Year() > 9999:
		t = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	case t.Nanosecond()%1000 != 0:
		t = t.Add(time.Microsecond)
	}
	micros := uint64(t.UnixMicro() - postgresEpoch) //nolint:gosec // the bits of an int64
	return s.param(pgtype.TimestamptzOID, binaryFormat, binary.BigEndian.AppendUint64(nil, micros))
}
