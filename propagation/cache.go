package propagation

import (
	"crypto/sha256"
	"sync"
)

// cacheEntries is the most that a cache holds.
const cacheEntries = 4096

// cache keeps values for those who ask again soon. Its keys are digests, so that how long a look-up takes says nothing of what is
// in it. Of the tokens that came in, none stays in memory for [Keyring.verified]; [Keyring.issued] has those that go out again.
//
// Once half of the entries are new, the other half goes. What was asked for since counts as new.
type cache[V any] struct {
	mu         sync.Mutex // guards both
	young, old map[digest]V
}

type digest = [sha256.Size]byte

func (c *cache[V]) get(d digest) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.young[d]
	if !ok {
		if v, ok = c.old[d]; ok {
			c.add(d, v)
		}
	}
	return v, ok
}

func (c *cache[V]) put(d digest, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(d, v)
}

func (c *cache[V]) add(d digest, v V) {
	if len(c.young) >= cacheEntries/2 {
		c.young, c.old = c.old, c.young
		clear(c.young)
	}
	if c.young == nil {
		c.young = make(map[digest]V)
	}
	c.young[d] = v
}
