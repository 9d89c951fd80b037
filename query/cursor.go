package query

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Key is a record's place in the order of a query, newest first.
type Key struct {
	Time time.Time
	ID   otelaudit.ID
}

const keyBytes = 8 + 16

// Cursor returns what to put into [Page.Next] when r is the last record of a page.
func Cursor(r *otelaudit.Record) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, keyBytes), uint64(r.Time.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, r.ID[:]...))
}

// Start returns the key behind which the page begins, and whether it is not the first page. An error wraps [ErrInvalid].
func (p PageRequest) Start() (Key, bool, error) {
	if p.After == "" {
		return Key{}, false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil || len(b) != keyBytes {
		return Key{}, false, invalid("PageRequest.After %.40q is no cursor: use Page.Next as it came", p.After)
	}
	k := Key{Time: time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()} //nolint:gosec // as written
	if k.Time.Unix() < 0 || k.Time.Year() > 9999 {
		return Key{}, false, invalid("PageRequest.After %.40q is no cursor: use Page.Next as it came", p.After)
	}
	copy(k.ID[:], b[8:])
	return k, true, nil
}
