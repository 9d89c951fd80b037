package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// dropTimeout bounds the dropping of a database that nobody waits for any more.
const dropTimeout = 5 * time.Second

// CreateDatabase makes an empty database: UTF8, sorted by bytes (the C locale) wherever it is, and named
// otelaudit_ and something random. url is [Server.URL] with that database; drop drops it, breaking the connections to
// it, and may be called again.
func (s *Server) CreateDatabase(ctx context.Context) (url string, drop func(context.Context) error, err error) {
	name := "otelaudit_" + strings.ToLower(rand.Text())
	drop = func(ctx context.Context) error {
		if err := s.exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("localpg: drop database %s: %w", name, err)
		}
		return nil
	}
	if err := s.exec(ctx, s.createStatement(name)); err != nil {
		err = fmt.Errorf("localpg: create database %s: %w", name, err)
		if ctx.Err() != nil { // the server may have gone on
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
			defer cancel()
			err = errors.Join(err, drop(late))
		}
		return "", nil, err
	}
	return withDatabase(s.url, name), drop, nil
}

// createStatement copies template0, which nobody can be connected to: a connection to its template fails a CREATE
// DATABASE.
func (s *Server) createStatement(name string) string {
	statement := "CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
	if s.version >= 15 {
		statement += " LOCALE_PROVIDER libc"
		if s.fast {
			// Checkpoints and copies the files: half the time of writing the copy to the WAL, so long as
			// neither waits for the disk.
			statement += " STRATEGY FILE_COPY"
		}
	}
	return statement
}

// exec runs one statement on a connection of its own.
func (s *Server) exec(ctx context.Context, statement string) error {
	conn, err := pgconn.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement).ReadAll()
	return errors.Join(err, conn.Close(ctx))
}

// withDatabase is a connection string with another database. It does not parse the URL, because
// Postgres's may name several hosts and net/url's may not.
func withDatabase(connString, name string) string {
	scheme, rest, isURL := strings.Cut(connString, "://")
	if !isURL {
		return connString + " dbname=" + name // the last one counts
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, _, _ := strings.Cut(rest, "/")

	params := slices.DeleteFunc(strings.Split(query, "&"), func(param string) bool {
		key, _, _ := strings.Cut(param, "=")
		return key == "" || key == "dbname" || key == "database"
	})
	url := scheme + "://" + authority + "/" + name
	if len(params) > 0 {
		url += "?" + strings.Join(params, "&")
	}
	return url
}
