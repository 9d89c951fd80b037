package journal

import "iter"

// Records yields what is on disk from a number on, without a cursor: it pins nothing, and skips what is gone or goes meanwhile.
// A record's data is valid until the next one. It ends at the last record on disk, or with an error: ErrClosed when the journal
// is closed.
func (j *Journal) Records(from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s := stretch{next: max(from, 1)}
		defer s.close()
		for {
			if j.isClosing() {
				yield(Record{}, ErrClosed)
				return
			}
			records, err := s.read(j, 1024, extentBytes)
			if err != nil {
				yield(Record{}, err)
				return
			}
			if len(records) == 0 {
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// View is a journal as its files are, read without the lock and without changing anything. Beside a process that writes it, it
// is a moment's picture: what is being written looks torn.
type View struct{ journal *Journal }

// Look reads a journal's directory. fs may be nil: the operating system's.
func Look(fs FS, dir string) (*View, error) {
	config := Config{Dir: dir, FS: fs, NoAppend: true}
	config.setDefaults()
	d, err := readDir(config.FS, dir, true, noMutation)
	if err != nil {
		return nil, err
	}
	return &View{&Journal{
		config: config, fs: config.FS, dir: dir, view: true, open: newGroup(),
		segments: d.segments, cursors: d.cursors, damage: d.damage, torn: d.torn, synced: d.next - 1, lastErr: d.unread,
	}}, nil
}

// Status is that of the journal as it was read.
func (v *View) Status() Status { return v.journal.Status() }

// Records yields the records as Journal.Records does.
func (v *View) Records(from uint64) iter.Seq2[Record, error] { return v.journal.Records(from) }
