package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// noteFormat is the name of the file in the quarantine that says which records were lost: the segment and the offset of the damage,
// the first number and the last.
const noteFormat = "%016x-%08x-lost-%d-%d.damaged"

// numbers are those from one to another.
type numbers struct{ from, to uint64 }

// without returns what of n is not in any of others.
func (n numbers) without(others []numbers) (left []numbers) {
	left = []numbers{n}
	for _, o := range others {
		var rest []numbers
		for _, l := range left {
			if l.to < o.from || o.to < l.from {
				rest = append(rest, l)
				continue
			}
			if l.from < o.from {
				rest = append(rest, numbers{l.from, o.from - 1})
			}
			if o.to < l.to {
				rest = append(rest, numbers{o.to + 1, l.to})
			}
		}
		left = rest
	}
	return left
}

// noteLosses writes down which records are lost, where no note says so yet. Else nobody could tell them any more from those that
// were delivered and removed, once those who wait have passed them. Open calls it, then the keeper, then who removes the journal.
func (j *Journal) noteLosses() error {
	for {
		d, found := j.unnoted()
		if !found {
			return nil
		}
		path, err := j.writeNote(&d)
		if err != nil {
			err = fmt.Errorf("journal: quarantine: %w", err)
			j.note(err)
			return err
		}
		j.mu.Lock()
		j.noted = append(j.noted, numbers{d.From, d.To})
		for i := range j.damage {
			if other := &j.damage[i]; other.Bytes == 0 && other.From <= d.From && d.To <= other.To {
				other.Quarantine = path
			}
		}
		j.mu.Unlock()
	}
}

// lose has a loss noted. Where it has left bytes, what every required reader has by now is none. Called with mu held.
func (j *Journal) lose(d Damage) {
	if d.Bytes > 0 {
		d.From = max(d.From, addOne(floor(j.cursors)))
	}
	if d.Lost() > 0 {
		j.losses = append(j.losses, d)
	}
}

// unnoted returns a loss that no note tells.
func (j *Journal) unnoted() (Damage, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range j.losses {
		if left := (numbers{d.From, d.To}).without(j.noted); len(left) > 0 {
			d.From, d.To = left[0].from, left[0].to
			return d, true
		}
	}
	return Damage{}, false
}

func (j *Journal) writeNote(d *Damage) (path string, err error) {
	if err := j.owns(); err != nil {
		return "", err
	}
	dir := filepath.Join(j.dir, quarantineName)
	if err := makeDir(j.fs, dir); err != nil {
		return "", err
	}
	path = filepath.Join(dir, fmt.Sprintf(noteFormat, d.Segment, d.Offset, d.From, d.To))
	return path, j.writeFile(dir, path, fmt.Appendf(nil, "records %d to %d are lost\n", d.From, d.To))
}

// readNotes adds to damage what the notes in a journal's quarantine say beyond that, and returns what they say. They count until
// somebody moves them away.
func readNotes(f FS, dir string, damage []Damage) (_ []Damage, noted []numbers, err error) {
	dir = filepath.Join(dir, quarantineName)
	names, err := f.List(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return damage, nil, nil
	}
	for _, name := range names {
		var n Damage
		_, err := fmt.Sscanf(name, noteFormat, &n.Segment, &n.Offset, &n.From, &n.To)
		if err != nil || name != fmt.Sprintf(noteFormat, n.Segment, n.Offset, n.From, n.To) || n.Lost() == 0 {
			continue // it is none
		}
		n.Quarantine = filepath.Join(dir, name)
		noted = append(noted, numbers{n.From, n.To})
		for i := range damage {
			if d := &damage[i]; d.Bytes == 0 && d.Quarantine == "" && d.From <= n.From && n.To <= d.To {
				d.Quarantine = n.Quarantine
			}
		}
		damage = append(damage, n.Beyond(damage)...)
	}
	return damage, noted, err
}
