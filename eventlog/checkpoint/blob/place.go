package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	gocloud "gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/messages"
)

// place is a shared.Place in a bucket.
type place struct {
	bucket *gocloud.Bucket
	prefix func(shard int) (string, error)
}

func (p *place) Name(shard int) (string, error) { return p.prefix(shard) }

func (p *place) Close() error { return p.bucket.Close() }

// listed is the objects under a shard's prefix, ordered by position.
type listed struct {
	checkpoints []messages.Position
	torn        map[string]messages.Position // files of writers that died
}

// list lists the shard's objects. In a directory a file may be renamed while it is listed: then it
// is listed again.
func (p *place) list(ctx context.Context, prefix string) (l listed, err error) {
	const tries = 10
	for range tries {
		if l, err = p.listOnce(ctx, prefix); gcerrors.Code(err) != gcerrors.NotFound {
			break
		}
	}
	return l, err
}

func (p *place) listOnce(ctx context.Context, prefix string) (l listed, err error) {
	it := p.bucket.List(&gocloud.ListOptions{Prefix: prefix + "/"})
	for {
		object, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			slices.SortFunc(l.checkpoints, messages.Position.Compare)
			return l, nil
		}
		if err != nil {
			return l, fmt.Errorf("list %s: %w", prefix, err)
		}
		position, whole, ok := splitName(prefix, object.Key)
		switch {
		case ok && whole:
			l.checkpoints = append(l.checkpoints, position)
		case ok && l.torn == nil:
			l.torn = map[string]messages.Position{object.Key: position}
		case ok && len(l.torn) < maxTorn:
			l.torn[object.Key] = position
		}
	}
}

// maxTorn is how many torn files one listing remembers; the next one finds the rest.
const maxTorn = 1000

// Fetch streams one object into the writer, and the previous one only if it is not whole.
func (p *place) Fetch(ctx context.Context, shard int, have messages.Position, begin func() (checkpoint.Writer, error)) (fetched bool, passedOver, err error) {
	prefix, err := p.prefix(shard)
	if err != nil {
		return false, nil, err
	}
	l, err := p.list(ctx, prefix)
	if err != nil {
		return false, nil, err
	}
	if len(l.checkpoints) == 0 {
		return false, nil, checkpoint.ErrNone
	}
	var damage []error
	for _, position := range slices.Backward(l.checkpoints) {
		if !position.After(have) {
			return false, errors.Join(damage...), nil
		}
		err := p.fetch(ctx, prefix, position, begin)
		if err == nil {
			return true, errors.Join(damage...), nil
		}
		// a leader may have deleted it
		if !errors.Is(err, checkpoint.ErrCorrupt) && gcerrors.Code(err) != gcerrors.NotFound {
			return false, errors.Join(damage...), err
		}
		damage = append(damage, err)
	}
	return false, nil, errors.Join(append(damage, checkpoint.ErrCorrupt)...)
}

func (p *place) fetch(ctx context.Context, prefix string, position messages.Position, begin func() (checkpoint.Writer, error)) error {
	w, err := begin()
	if err != nil {
		return err
	}
	m, err := p.read(ctx, prefix, position, w.Put)
	if err == nil {
		_, err = w.Commit(m)
	}
	return errors.Join(err, w.Abort())
}

// read checks that the object has the position in its name.
func (p *place) read(ctx context.Context, prefix string, position messages.Position, put func(checkpoint.Entry) error) (m checkpoint.Marker, err error) {
	name := objectName(prefix, position)
	r, err := p.bucket.NewReader(ctx, name, nil)
	if err != nil {
		return m, fmt.Errorf("open %s: %w", name, err)
	}
	m, err = readObject(source{r}, put)
	if err := errors.Join(err, r.Close()); err != nil {
		return m, fmt.Errorf("read %s: %w", name, err)
	}
	if m.Position != position {
		return m, fmt.Errorf("read %s: %w: its marker is at %s", name, checkpoint.ErrCorrupt, m.Position)
	}
	return m, nil
}

// source distinguishes errors of the store from the end of its content.
type source struct{ *gocloud.Reader }

func (s source) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &readError{err}
	}
	return n, err
}

// Lead asks no other process: two writers are harmless here, since each writes whole objects and
// deletes only those below two whole ones.
func (p *place) Lead(_ context.Context, shard int) (shared.Leader, error) {
	prefix, err := p.prefix(shard)
	if err != nil {
		return nil, err
	}
	return &leader{place: p, prefix: prefix}, nil
}

// leader writes the objects of one shard.
type leader struct {
	place  *place
	prefix string
	whole  messages.Position // the greatest object that it wrote or has read to its end
}

func (l *leader) Close() error { return nil }

// Publish lists the objects at every checkpoint: other processes may write too.
func (l *leader) Publish(ctx context.Context, m checkpoint.Marker, local shared.Local) (older messages.Position, err error) {
	there, err := l.place.list(ctx, l.prefix)
	if err != nil {
		return older, err
	}
	if n := len(there.checkpoints); n > 0 && !m.Position.After(there.checkpoints[n-1]) {
		if m.Position == there.checkpoints[n-1] {
			return older, nil
		}
		return older, shared.ErrBehind
	}
	if older, err = l.newestWhole(ctx, there); err != nil {
		return older, err
	}
	if err := l.place.write(ctx, l.prefix, m, local); err != nil {
		return messages.Position{}, err
	}
	l.whole = m.Position
	return older, l.sweep(ctx, there, older)
}

// newestWhole returns the greatest whole object; it reads each object of other processes to its
// end, once.
func (l *leader) newestWhole(ctx context.Context, there listed) (messages.Position, error) {
	for _, position := range slices.Backward(there.checkpoints) {
		if position == l.whole {
			return position, nil
		}
		_, err := l.place.read(ctx, l.prefix, position, func(checkpoint.Entry) error { return nil })
		switch {
		case err == nil:
			return position, nil
		case !errors.Is(err, checkpoint.ErrCorrupt) && gcerrors.Code(err) != gcerrors.NotFound:
			return messages.Position{}, err
		}
	}
	return messages.Position{}, nil
}

// sweep deletes the objects below the older of the two that count. The next call finds those that
// it can't delete now.
func (l *leader) sweep(ctx context.Context, there listed, older messages.Position) error {
	var names []string
	for _, position := range there.checkpoints {
		if older.After(position) {
			names = append(names, objectName(l.prefix, position))
		}
	}
	for name, position := range there.torn {
		if older.After(position) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := l.place.bucket.Delete(ctx, name); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return fmt.Errorf("delete %s: %w", name, err)
		}
	}
	return nil
}

// write writes the object, which is invisible until it is whole.
func (p *place) write(ctx context.Context, prefix string, m checkpoint.Marker, local shared.Local) error {
	name := objectName(prefix, m.Position)
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var d disk
	w, err := p.bucket.NewWriter(ctx, name, &gocloud.WriterOptions{ContentType: "application/octet-stream", BeforeWrite: d.opened})
	if err != nil {
		return fmt.Errorf("write %s: %w", name, full(err))
	}
	err = writeObject(w, m, local)
	if err == nil {
		err = d.sync()
	}
	if err != nil {
		giveUp() // so that Close discards it
		_ = w.Close()
		return fmt.Errorf("write %s: %w", name, full(err))
	}
	if err := errors.Join(w.Close(), d.syncDirectory()); err != nil {
		return fmt.Errorf("write %s: %w", name, full(err))
	}
	return nil
}

func writeObject(w io.Writer, m checkpoint.Marker, local shared.Local) error {
	o, err := newObjectWriter(w)
	if err != nil {
		return err
	}
	if err := local.Each(0, o.put); err != nil {
		return errors.Join(err, o.zip.Close())
	}
	return o.end(m)
}

// full turns the system's error of a full volume into ErrFull.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", eventlog.ErrFull, err)
	}
	return err
}
