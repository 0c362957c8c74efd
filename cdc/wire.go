package cdc

import (
	"bytes"
	"encoding/binary"
)

// reader takes fixed and NUL-terminated fields off a message. Once something is
// missing it is short, and stays so; everything it returns then is zero. It never
// reads beyond the message.
type reader struct {
	data  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.short, r.data = true, nil
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// name is a string up to its NUL, which is not part of it.
func (r *reader) name() []byte {
	end := bytes.IndexByte(r.data, 0)
	if end < 0 {
		r.short, r.data = true, nil
		return nil
	}
	b := r.data[:end]
	r.data = r.data[end+1:]
	return b
}
