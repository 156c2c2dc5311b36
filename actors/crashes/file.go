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

// maxShards bounds the file. It is the number of shards of the largest cluster.
const maxShards = 1 << 16

// formatName is the name in the header.
var formatName = [16]byte([]byte("crashes-format-1"))

// File holds the marks of all shards of a process, on disk. A nil File records nothing. It is safe
// for concurrent use.
type File struct {
	name    func(shard int) (string, error)
	unclean bool // the previous process was not told to end
	most    int  // the most ends of one shard, when the file was opened

	mu     sync.Mutex
	f      *os.File
	mapped []byte           // content of the file
	all    []known          // one for each block
	blocks map[[16]byte]int // block by name
	free   []int
	told   bool
}

// Open opens or creates the file, and counts the end of the previous process. name returns a
// shard's name, which is the same at every start even if the shard's number changes.
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

// take reads what the previous process left in the file.
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

// grow makes room for more blocks. The system keeps what is written to the mapped file, whatever
// happens to the process.
func (c *File) grow() error {
	blocks := min(max(1024, 2*(len(c.all)+1)), maxShards+1)
	info, err := c.f.Stat()
	if err != nil {
		return err
	}
	// Write zeros instead of leaving a hole: a page without room on the disk could not be written when
	// the disk is full.
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

// Unclean reports whether the previous process ended without being told to.
func (c *File) Unclean() bool { return c != nil && c.unclean }

// MostEnds returns how often earlier processes ended at the same records of one shard, for the
// shard with the most such ends.
func (c *File) MostEnds() int {
	if c == nil {
		return 0
	}
	return c.most
}

// Ending says that the process was told to end: from now on, its shards are not suspected.
func (c *File) Ending() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = true
	c.writeHeader()
}

// Close closes the file. It includes Ending.
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
	copy(c.mapped, b[:]) // copies nothing if the file is closed
}

func (c *File) write(block int) {
	b := c.all[block].encode()
	if at := (block + 1) * blockSize; at < len(c.mapped) {
		copy(c.mapped[at:], b[:])
	}
}

// block returns the shard's block. ok is false if there is no room for more.
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

// nameOf returns the name of a shard's block.
func (c *File) nameOf(shard int) [16]byte {
	name, err := c.name(shard)
	if err != nil {
		name = fmt.Sprint(shard)
	}
	sum := sha256.Sum256([]byte(name))
	return [16]byte(sum[:16])
}
