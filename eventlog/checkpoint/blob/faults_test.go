package blob

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/eventlog/eventlogtest"
	"github.com/dashfeed/dashfeed/messages"
)

const boards = 20

func key(d int) messages.Key { return messages.Key{Tenant: "t", Dashboard: fmt.Sprintf("d%02d", d)} }

// write commits a checkpoint of boards dashboards, whose states of size bytes do not compress.
func write(t *testing.T, s checkpoint.Store, position uint64, size int) (released uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(position, 1))
	w, err := s.Begin(0)
	for d := 0; d < boards && err == nil; d++ {
		state := fmt.Appendf(nil, "%d ", position)
		for len(state) < size {
			state = append(state, byte(rng.Uint32()))
		}
		err = w.Put(checkpoint.Entry{Key: key(d), Position: messages.Position{Lo: position}, State: state})
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Commit(checkpoint.Marker{Position: messages.Position{Lo: position}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Lo
}

func wantLoaded(t *testing.T, s checkpoint.Store, position uint64) {
	t.Helper()
	m, passedOver, err := s.Load(t.Context(), 0)
	if err != nil || passedOver != nil || m.Position.Lo != position {
		t.Fatalf("got marker %s, passed over %v, %v; want %d", m.Position, passedOver, err, position)
	}
	for d := range boards {
		if e, err := s.Get(0, key(d)); err != nil || e.Position.Lo != position || !strings.HasPrefix(string(e.State), fmt.Sprint(position, " ")) {
			t.Fatalf("%s: got %s, %v; want %d", key(d), e.Position, err, position)
		}
	}
}

// objects returns the names in the shard's directory.
func objects(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "tenant", "0"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestFull: on a full volume a checkpoint counts in this process, is not published, and Err says
// so; no published checkpoint is lost; with free space the next one is published.
func TestFull(t *testing.T) {
	const mib = 1 << 20
	volume := eventlogtest.NewVolume(t, 16*mib)
	dir := filepath.Join(volume.Path, "bucket")
	a := open(t, config("file://"+dir, t.TempDir()))
	defer a.Close()
	a.Lead(0, true)
	write(t, a, 10, 64<<10)
	if released := write(t, a, 20, 64<<10); released != 10 {
		t.Fatalf("released %d, want 10", released)
	}
	free := volume.Fill(t, 16*mib)
	if released := write(t, a, 30, 64<<10); released != 0 {
		t.Errorf("released %d on a full volume", released)
	}
	if err := a.Err(); !errors.Is(err, eventlog.ErrFull) || !strings.Contains(err.Error(), "tenant/0/") {
		t.Errorf("Err is %v; want ErrFull, naming the object", err)
	}
	if e, err := a.Get(0, key(0)); err != nil || e.Position.Lo != 30 {
		t.Errorf("this process has %s, %v; want 30", e.Position, err)
	}
	b := open(t, config("file://"+dir, t.TempDir()))
	defer b.Close()
	wantLoaded(t, b, 20)
	free()
	if released := write(t, a, 40, 64<<10); released != 20 {
		t.Errorf("released %d, want 20", released)
	}
	if err := a.Err(); err != nil {
		t.Errorf("Err is %v though space is free again", err)
	}
	wantLoaded(t, b, 40)
	if names := objects(t, dir); len(names) != 2 {
		t.Errorf("left: %q, want two objects", names)
	}
}

// TestTorn: the file of a writer that died is not a checkpoint, and is deleted.
func TestTorn(t *testing.T) {
	dir := t.TempDir()
	a := open(t, config("file://"+dir, t.TempDir()))
	defer a.Close()
	a.Lead(0, true)
	write(t, a, 10, 100)
	whole := filepath.Join(dir, "tenant", "0", objects(t, dir)[0])
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	torn := whole + ".1764000000000000000.tmp"
	foreign := filepath.Join(dir, "tenant", "0", "README")
	for _, name := range []string{torn, foreign} {
		if err := os.WriteFile(name, b[:len(b)/2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantLoaded(t, reads(t, dir), 10)
	write(t, a, 20, 100)
	write(t, a, 30, 100)
	wantLoaded(t, reads(t, dir), 30)
	if names := objects(t, dir); len(names) != 3 { // two checkpoints, and a foreign file
		t.Errorf("left: %q", names)
	}
	if _, err := os.Stat(torn); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", torn, err)
	}
}

func reads(t *testing.T, dir string) *shared.Store {
	t.Helper()
	s := open(t, config("file://"+dir, t.TempDir()))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// dying is a process that dies after that many entries of a checkpoint.
type dying struct{ entries int }

var errDied = errors.New("the process died")

func (dying) Sequence() uint64 { return 1 }

func (d dying) Each(_ uint64, yield func(checkpoint.Entry) error) error {
	for i := range d.entries {
		if err := yield(checkpoint.Entry{Key: key(i), State: make([]byte, 1000)}); err != nil {
			return err
		}
	}
	return errDied
}

// TestDeadWriter: a partly written checkpoint does not exist.
func TestDeadWriter(t *testing.T) {
	dir := t.TempDir()
	a := open(t, config("file://"+dir, t.TempDir()))
	defer a.Close()
	a.Lead(0, true)
	write(t, a, 10, 100)
	bucket := bucketOf(t, dir)
	for n := range boards {
		l := &leader{place: bucket, prefix: "tenant/0"}
		if _, err := l.Publish(t.Context(), checkpoint.Marker{Position: messages.Position{Lo: 20}}, dying{n}); !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		wantLoaded(t, reads(t, dir), 10)
	}
}

// TestSamePosition: two processes may write the same checkpoint at once.
func TestSamePosition(t *testing.T) {
	dir := t.TempDir()
	a, b := reads(t, dir), reads(t, dir)
	a.Lead(0, true)
	b.Lead(0, true)
	for position := uint64(10); position < 100; position += 10 {
		var both sync.WaitGroup
		for _, s := range []*shared.Store{a, b} {
			both.Go(func() { write(t, s, position, 1000) })
		}
		both.Wait()
		wantLoaded(t, reads(t, dir), position)
	}
}

// TestOtherName: the scratch's checkpoint of another cluster's shard with the same number is not
// used.
func TestOtherName(t *testing.T) {
	scratch := t.TempDir()
	c := config("file://"+t.TempDir(), scratch)
	a := open(t, c)
	write(t, a, 10, 100)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	c.Prefix = func(shard int) (string, error) { return fmt.Sprintf("other/%d", shard), nil }
	a = open(t, c)
	defer a.Close()
	if _, err := a.Get(0, key(0)); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("get: %v, want ErrNone", err)
	}
	if _, _, err := a.Load(t.Context(), 0); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("load: %v, want ErrNone", err)
	}
}

// TestNewerFormat: an object of a newer binary is skipped, and the reason says so.
func TestNewerFormat(t *testing.T) {
	dir := t.TempDir()
	a := open(t, config("file://"+dir, t.TempDir()))
	a.Lead(0, true)
	write(t, a, 10, 100)
	write(t, a, 20, 100)
	_ = a.Close()
	newest := filepath.Join(dir, "tenant", "0", objects(t, dir)[1])
	b, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	b[len(magic)]++
	if err := os.WriteFile(newest, b, 0o600); err != nil {
		t.Fatal(err)
	}
	m, passedOver, err := reads(t, dir).Load(t.Context(), 0)
	if err != nil || m.Position.Lo != 10 || passedOver == nil || !strings.Contains(passedOver.Error(), "format 2, this binary knows 1") {
		t.Errorf("got marker %s, passed over %v, %v", m.Position, passedOver, err)
	}
}

// TestUnreachable: Load fails if the place can't be read: it may have a newer checkpoint.
func TestUnreachable(t *testing.T) {
	dir, scratch := t.TempDir(), t.TempDir()
	a := open(t, config("file://"+dir, scratch))
	defer a.Close()
	write(t, a, 10, 100)
	names := 0
	refused := errors.New("no such tenant")
	c := config("file://"+dir, t.TempDir())
	c.Prefix = func(int) (string, error) { names++; return "", refused }
	b := open(t, c)
	defer b.Close()
	if _, _, err := b.Load(t.Context(), 0); !errors.Is(err, refused) || names == 0 {
		t.Errorf("load: %v, want that the name is refused", err)
	}
	if _, err := b.Begin(0); !errors.Is(err, refused) {
		t.Errorf("begin: %v, want that the name is refused", err)
	}
}

// TestClosed: after Close every call returns ErrClosed, and nothing hangs.
func TestClosed(t *testing.T) {
	a := open(t, config("file://"+t.TempDir(), t.TempDir()))
	a.Lead(0, true)
	write(t, a, 10, 100)
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	a.Lead(0, false)
	_, _, loadErr := a.Load(t.Context(), 0)
	_, getErr := a.Get(0, key(0))
	_, beginErr := a.Begin(0)
	for _, err := range []error{loadErr, getErr, beginErr, a.Forget(0)} {
		if !errors.Is(err, eventlog.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	}
}
