package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite" // the driver
)

// These are what somebody would take who needs a log on disk and does not write one. Each fsyncs every commit, and each gets
// what it is best at: ascending keys, and a single writer that commits all that waits as one transaction, behind the same
// bare group commit that the bare file has.

func openBolt(_ context.Context, dir string, _ int) (diskLog, error) {
	db, err := bbolt.Open(filepath.Join(dir, "bolt"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoFreelistSync: true})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("log"))
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	commit := func(records []byte) error {
		return db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("log"))
			b.FillPercent = 1 // what ascends leaves no gaps to fill
			for ; len(records) > 0; records = records[recordBytes:] {
				n, err := b.NextSequence()
				if err != nil {
					return err
				}
				if err := b.Put(binary.BigEndian.AppendUint64(nil, n), records[:recordBytes]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return groupedLog{newGroupCommit(commit), db.Close}, nil
}

func openRaftWAL(_ context.Context, dir string, _ int) (diskLog, error) {
	w, err := wal.Open(dir, wal.WithLogger(hclog.NewNullLogger()))
	if err != nil {
		return nil, err
	}
	var index uint64
	var entries []raft.Log
	var logs []*raft.Log
	commit := func(records []byte) error {
		n := len(records) / recordBytes
		for len(entries) < n { // the same ones again: nothing to allocate
			entries = make([]raft.Log, 2*n)
		}
		logs = logs[:0]
		for i := range n {
			index++
			entries[i] = raft.Log{Index: index, Data: records[i*recordBytes : (i+1)*recordBytes]}
			logs = append(logs, &entries[i])
		}
		return w.StoreLogs(logs)
	}
	return groupedLog{newGroupCommit(commit), w.Close}, nil
}

func openSQLite(ctx context.Context, dir string, _ int) (diskLog, error) {
	ctx = context.WithoutCancel(ctx) // the driver starts a goroutine for each statement that could be cancelled
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "sqlite")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `CREATE TABLE log (seq INTEGER PRIMARY KEY, record BLOB NOT NULL)`); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	insert, err := db.PrepareContext(ctx, `INSERT INTO log (record) VALUES (?)`)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	commit := func(records []byte) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		stmt := tx.StmtContext(ctx, insert)
		for ; len(records) > 0; records = records[recordBytes:] {
			if _, err := stmt.ExecContext(ctx, records[:recordBytes]); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		return tx.Commit()
	}
	return groupedLog{newGroupCommit(commit), func() error { return errors.Join(insert.Close(), db.Close()) }}, nil
}
