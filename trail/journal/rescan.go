package journal

import "slices"

// rescan looks again at a segment in which a reader met a frame that is invalid now and was not at Open. All of it was on
// disk, so that is damage: it is quarantined and reported, and what is behind it stays readable.
func (j *Journal) rescan(seg *segment) error {
	j.mu.Lock()
	if len(seg.extents) == 0 {
		j.mu.Unlock()
		return nil
	}
	if !j.enter() {
		j.mu.Unlock()
		return ErrClosed
	}
	defer j.busy.Done()
	known := seg.extents[len(seg.extents)-1] // the writer may go on behind it meanwhile
	j.mu.Unlock()

	b, err := readFile(j.fs, seg.path, known.end)
	if err != nil {
		return err
	}
	again := segment{path: seg.path, header: seg.header, seed: seg.seed, last: seg.header.first - 1, size: known.end}
	r := resolver{
		files: []found{{segment: &again, contents: scan(b, seg.header, j.config.mutation)}},
		mark:  known.last,
		next:  seg.header.first,
	}
	r.segment(0)
	for i := range r.damage {
		j.quarantineDamage(&r.damage[i])
	}

	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range seg.extents {
		switch {
		case e.first > known.last:
			again.extents = append(again.extents, e)
		case e.last > known.last: // it has grown
			again.extents = append(again.extents, extent{off: known.end, end: e.end, first: known.last + 1, last: e.last, at: e.at})
		}
	}
	seg.extents = again.extents
	for _, d := range r.damage { // another reader may have met it too
		if !slices.ContainsFunc(j.damage, d.same) {
			j.damage = append(j.damage, d)
			j.lose(d)
			notify(j.kick)
		}
	}
	return nil
}
