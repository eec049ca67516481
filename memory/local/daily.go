package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	dailyPrefix = "memory-daily-" // of the automatic backups
	dailyStamp  = "20060102T150405Z"
	dailyEvery  = 24 * time.Hour
	dailyKept   = 7
	// A daily backup may take this share of the free space.
	freeShare = 10
)

// BackupDaily makes the automatic backup of the day beside the memory, unless there
// is one, the memory is empty, or it does not fit into a tenth of the free space;
// see contract.DailyBackuper. maxBytes bounds the size of the memory; 0: no bound.
func (l *Local) BackupDaily(ctx context.Context, maxBytes int64) (contract.BackupReport, bool, error) {
	var r contract.BackupReport
	if l.readOnly {
		return r, false, nil
	}
	dir := filepath.Join(filepath.Dir(l.path), backupDir)
	now := l.now()
	old, err := dailies(dir, now)
	if err != nil {
		return r, false, err
	}
	if len(old) > 0 && now.Sub(dailyTime(old[len(old)-1])) < dailyEvery {
		return r, false, nil
	}
	size := l.diskBytes()
	if free, known := freeBytes(filepath.Dir(l.path)); maxBytes > 0 && size > maxBytes || known && size > free/freeShare {
		return r, false, nil
	}
	t, err := readTally(ctx, l.rdb)
	if err != nil || t["documents"] == 0 {
		return r, false, l.failed(ctx, "backing up", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, false, fmt.Errorf("creating the backup folder: %w", err)
	}
	name := dailyPrefix + now.Format(dailyStamp) + ".db"
	if l.cfg.SealDaily != nil {
		name += sealedSuffix
	}
	r, err = l.BackupSealed(ctx, filepath.Join(dir, name), l.cfg.SealDaily)
	if err != nil {
		return r, false, err
	}
	for _, path := range old[:max(0, len(old)+1-dailyKept)] {
		err = errors.Join(err, os.Remove(path))
	}
	return r, true, err
}

// dailies returns the automatic backups that were made until now, oldest first. One
// of a clock that was wrong is ignored: it would end the backups until its day.
func dailies(dir string, now time.Time) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); e.Type().IsRegular() && !dailyTime(path).IsZero() && !dailyTime(path).After(now) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out, err
}

// dailyTime is the time in the name of an automatic backup, or zero.
func dailyTime(path string) time.Time {
	stamp, ok := strings.CutPrefix(filepath.Base(path), dailyPrefix)
	at, err := time.Parse(dailyStamp, strings.TrimSuffix(strings.TrimSuffix(stamp, sealedSuffix), ".db"))
	if !ok || err != nil {
		return time.Time{}
	}
	return at
}
