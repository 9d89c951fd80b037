package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"
)

// Config says how a journal works. Only Dir is mandatory.
type Config struct {
	// Dir is the journal's directory, on a local file system. Open makes it where it is missing.
	Dir string
	// SegmentBytes is the size of a segment, which is reserved beforehand; a larger group gets a larger segment of its own.
	// Defaults to 32 MiB.
	SegmentBytes int64
	// MaxWaitingBytes bounds what waits for the disk, with 24 to 31 bytes for each record. Defaults to 64 MiB.
	MaxWaitingBytes int
	// AppendTimeout is the longest an Append waits. Defaults to 5 s.
	AppendTimeout time.Duration
	// CloseTimeout is how long Close waits for what is under way. Defaults to 10 s.
	CloseTimeout time.Duration
	// IdleMark is how long after the last group an idle journal writes a mark, which tells damage of that group from a torn
	// write. Defaults to 1 s.
	IdleMark time.Duration
	// Retention keeps segments for so long after their last record was written, also when every required reader has them.
	// Defaults to 0: not longer than that.
	Retention time.Duration
	// NoAppend opens the journal for what is in it: Append returns ErrClosed, no space is reserved, and a directory that is
	// missing is an error. Defaults to false.
	NoAppend bool
	// FS is the file system. Defaults to OS().
	FS FS

	// For tests.
	now      func() time.Time
	random   io.Reader
	mutation mutation
}

func (c *Config) setDefaults() {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 32 << 20
	}
	if c.MaxWaitingBytes == 0 {
		c.MaxWaitingBytes = 64 << 20
	}
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&c.AppendTimeout, 5 * time.Second},
		{&c.CloseTimeout, 10 * time.Second},
		{&c.IdleMark, time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if c.FS == nil {
		c.FS = OS()
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.random == nil {
		c.random = rand.Reader
	}
}

// minSegmentBytes leaves room for a group behind the header.
const minSegmentBytes = 2 * dataStart

func (c *Config) validate() error {
	if c.Dir == "" {
		return errors.New("journal: Config.Dir is empty: name the journal's directory")
	}
	if c.SegmentBytes < minSegmentBytes {
		return fmt.Errorf("journal: Config.SegmentBytes %d: want at least %d", c.SegmentBytes, minSegmentBytes)
	}
	if c.MaxWaitingBytes < 0 || c.MaxWaitingBytes > 1<<30 {
		return fmt.Errorf("journal: Config.MaxWaitingBytes %d: want 0 to %d", c.MaxWaitingBytes, 1<<30)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"AppendTimeout", c.AppendTimeout},
		{"CloseTimeout", c.CloseTimeout},
		{"IdleMark", c.IdleMark},
		{"Retention", c.Retention},
	} {
		if d.value < 0 {
			return fmt.Errorf("journal: Config.%s is negative (%v)", d.name, d.value)
		}
	}
	return nil
}
