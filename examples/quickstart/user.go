package main

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

type user struct {
	id, name string
	roles    []string
	salt     []byte
	password []byte // hashed
}

// actor is the user as the trail knows them: by an id that stays when the name changes.
func (u user) actor() otelaudit.Actor {
	a := otelaudit.User(u.id)
	a.Name, a.Roles, a.Tenant = u.name, u.roles, "acme"
	return a
}

// users are by the id under which they log in.
type users struct {
	iterations int // of the hash of a password
	byID       map[string]user
}

// demoUsers are for the story: the password of each is their id and "-demo".
func demoUsers(iterations int) users {
	us := users{iterations: iterations, byID: map[string]user{}}
	us.add("alice", "Alice Moreau", "approver")
	us.add("bob", "Bob Stone", "clerk")
	us.add("carol", "Carol Lindt", "customer")
	us.add("dana", "Dana Okoye", "admin")
	return us
}

func demoPassword(id string) string { return id + "-demo" }

func (us users) add(id, name, role string) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	us.byID[id] = user{id: id, name: name, roles: []string{role}, salt: salt, password: us.hash(demoPassword(id), salt)}
}

// authenticate takes as long for somebody who is not there as for a wrong password: its time must not tell who has an account.
func (us users) authenticate(id, password string) (user, error) {
	u, ok := us.byID[id]
	if !ok {
		u = user{salt: make([]byte, 16), password: make([]byte, sha256.Size)}
	}
	if subtle.ConstantTimeCompare(us.hash(password, u.salt), u.password) == 0 || !ok {
		return user{}, errCredentials
	}
	return u, nil
}

func (us users) hash(password string, salt []byte) []byte {
	key, err := pbkdf2.Key(sha256.New, password, salt, us.iterations, sha256.Size)
	if err != nil {
		panic(err) // of the parameters, which are ours
	}
	return key
}
