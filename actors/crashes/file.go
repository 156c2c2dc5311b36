package crashes

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// maxShards bounds the file: the shards of the largest cluster.
const maxShards = 1 << 16

// formatName is the header's name.
var formatName = [16]byte([]byte("crashes-format-1"))

// File is the marks of all shards of a process, on disk. A nil one remembers nothing. Any goroutine
// may use it.
type File struct {
	name    func(shard int) (string, error)
	unclean bool // the process before was not told to end
	most    int  // ends of a shard when the file was opened

	mu     sync.Mutex
	f      *os.File
	mapped []byte           // the file
	all    []known          // by block
	blocks map[[16]byte]int // by name
	free   []int
	told   bool
}

// Open opens the file, or makes it, and takes the end of the process before into account. name is
// what a shard is called at every start, whatever its number is then.
func Open(path string, name func(shard int) (string, error)) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the marks of crashes: %w", err)
	}
	c := &File{name: name, f: f, blocks: map[[16]byte]int{}}
	b, err := io.ReadAll(io.LimitReader(f, (maxShards+1)*blockSize))
	if err == nil {
		c.take(b)
		err = c.grow()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the marks of crashes in %s: %w", path, err), f.Close())
	}
	c.writeHeader()
	for i := range c.all {
		c.write(i)
	}
	return c, nil
}

// take takes over what the process before has left in the file.
func (c *File) take(b []byte) {
	header, flags, ok := decode(b)
	if !ok || header.name != formatName {
		return
	}
	c.unclean = flags&flagTold == 0
	for b = b[blockSize:]; len(b) >= blockSize; b = b[blockSize:] {
		k, _, whole := decode(b)
		if c.unclean {
			k.ended()
		}
		k.busy = false
		if whole && k.used {
			c.most = max(c.most, int(k.ends))
		}
		if !whole || !k.used || k.ends == 0 {
			c.free = append(c.free, len(c.all))
			k = known{}
		} else {
			c.blocks[k.name] = len(c.all)
		}
		c.all = append(c.all, k)
	}
}

// grow makes room for more blocks than there are. What is written to the mapped file is the
// system's at once, whatever becomes of the process.
func (c *File) grow() error {
	blocks := min(max(1024, 2*(len(c.all)+1)), maxShards+1)
	info, err := c.f.Stat()
	if err != nil {
		return err
	}
	// Zeros are written, not left out: a page without a place on the disk could not be written to
	// when that is full.
	if more := int64(blocks)*blockSize - info.Size(); more > 0 {
		if _, err := c.f.WriteAt(make([]byte, more), info.Size()); err != nil {
			return err
		}
	}
	mapped, err := syscall.Mmap(int(c.f.Fd()), 0, blocks*blockSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	if c.mapped != nil {
		err = syscall.Munmap(c.mapped)
	}
	c.mapped = mapped
	return err
}

// Unclean reports whether the process before ended without having been told to.
func (c *File) Unclean() bool { return c != nil && c.unclean }

// MostEnds is how often processes before have ended at the same records of the shard where that is
// most.
func (c *File) MostEnds() int {
	if c == nil {
		return 0
	}
	return c.most
}

// Ending says that the process was told to end: from now on nothing that it is at is a suspect.
func (c *File) Ending() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = true
	c.writeHeader()
}

// Close closes the file; it says the same as Ending before.
func (c *File) Close() error {
	if c == nil {
		return nil
	}
	c.Ending()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mapped == nil {
		return nil
	}
	err := errors.Join(syscall.Munmap(c.mapped), c.f.Close())
	c.mapped = nil
	return err
}

func (c *File) writeHeader() {
	var flags uint32 = flagUsed
	if c.told {
		flags |= flagTold
	}
	b := encode(formatName, flags, Span{}, Span{}, 0)
	copy(c.mapped, b[:]) // of a closed file nothing
}

func (c *File) write(block int) {
	b := c.all[block].encode()
	if at := (block + 1) * blockSize; at < len(c.mapped) {
		copy(c.mapped[at:], b[:])
	}
}

// block is the shard's own; false where there is no room for more.
func (c *File) block(name [16]byte) (int, bool) {
	if i, ok := c.blocks[name]; ok {
		return i, true
	}
	if n := len(c.free); n > 0 {
		i := c.free[n-1]
		c.free = c.free[:n-1]
		c.blocks[name] = i
		c.all[i] = known{name: name, used: true}
		return i, true
	}
	if len(c.all) >= maxShards || c.mapped == nil {
		return 0, false
	}
	if (len(c.all)+2)*blockSize > len(c.mapped) && c.grow() != nil {
		return 0, false
	}
	c.all = append(c.all, known{name: name, used: true})
	c.blocks[name] = len(c.all) - 1
	return len(c.all) - 1, true
}

// nameOf is what a shard's block is found by.
func (c *File) nameOf(shard int) [16]byte {
	name, err := c.name(shard)
	if err != nil {
		name = fmt.Sprint(shard)
	}
	sum := sha256.Sum256([]byte(name))
	return [16]byte(sum[:16])
}
