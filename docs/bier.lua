-- BIER on Ethernet (RFC 8296 section 2.2, EtherType 0xab37) for Wireshark and tshark, which as of
-- 4.4 know BIER inside MPLS only:
--   wireshark -X lua_script:bier.lua FILE
--   tshark -X lua_script:bier.lua -O bier_eth -r FILE
local bier = Proto("bier_eth", "Bit Index Explicit Replication")
local f = {
  bift_id = ProtoField.uint24("bier_eth.bift_id", "BIFT-id", base.HEX, nil, 0xfffff0),
  bsl = ProtoField.uint24("bier_eth.bift_id.bsl", "BitString length code", base.DEC, nil, 0xf00000),
  sd = ProtoField.uint24("bier_eth.bift_id.sd", "Sub-domain", base.DEC, nil, 0x0ff000),
  si = ProtoField.uint24("bier_eth.bift_id.si", "Set identifier", base.DEC, nil, 0x000ff0),
  tc = ProtoField.uint8("bier_eth.tc", "TC", base.DEC, nil, 0x0e),
  s = ProtoField.uint8("bier_eth.s", "S", base.DEC, nil, 0x01),
  ttl = ProtoField.uint8("bier_eth.ttl", "TTL"),
  nibble = ProtoField.uint8("bier_eth.nibble", "Nibble", base.DEC, nil, 0xf0),
  ver = ProtoField.uint8("bier_eth.ver", "Version", base.DEC, nil, 0x0f),
  code = ProtoField.uint8("bier_eth.bsl", "BSL", base.DEC, nil, 0xf0),
  entropy = ProtoField.uint24("bier_eth.entropy", "Entropy", base.HEX, nil, 0x0fffff),
  oam = ProtoField.uint16("bier_eth.oam", "OAM", base.DEC, nil, 0xc000),
  dscp = ProtoField.uint16("bier_eth.dscp", "DSCP", base.DEC, nil, 0x0fc0),
  proto = ProtoField.uint16("bier_eth.proto", "Proto", base.DEC, nil, 0x003f),
  bfir = ProtoField.uint16("bier_eth.bfir_id", "BFIR-id"),
  bits = ProtoField.bytes("bier_eth.bitstring", "BitString"),
  src = ProtoField.ipv4("bier_eth.src", "Source of the packet inside"),
  dst = ProtoField.ipv4("bier_eth.dst", "Destination of the packet inside"),
  bfr = ProtoField.uint32("bier_eth.bfr_id", "BFR-id of a set bit"),
}
bier.fields = f

function bier.dissector(buf, pinfo, tree)
  if buf:len() < 12 then return 0 end
  -- The length is that of the BIFT-id, never of the BSL field.
  local code = buf(0, 1):bitfield(0, 4)
  if code < 1 or code > 7 then return 0 end
  local octets = math.floor(2 ^ (code + 2))
  if buf:len() < 12 + octets then return 0 end
  local t = tree:add(bier, buf(0, 12 + octets))
  local id = t:add(f.bift_id, buf(0, 3))
  id:add(f.bsl, buf(0, 3))
  id:add(f.sd, buf(0, 3))
  id:add(f.si, buf(0, 3))
  t:add(f.tc, buf(2, 1))
  t:add(f.s, buf(2, 1))
  t:add(f.ttl, buf(3, 1))
  t:add(f.nibble, buf(4, 1))
  t:add(f.ver, buf(4, 1))
  t:add(f.code, buf(5, 1))
  t:add(f.entropy, buf(5, 3))
  t:add(f.oam, buf(8, 2))
  t:add(f.dscp, buf(8, 2))
  t:add(f.proto, buf(8, 2))
  t:add(f.bfir, buf(10, 2))
  local bits = t:add(f.bits, buf(12, octets))
  local first = buf(0, 4):bitfield(12, 8) * octets * 8
  for octet = octets - 1, 0, -1 do
    for bit = 0, 7 do
      if buf(12 + octet, 1):bitfield(7 - bit, 1) == 1 then
        bits:add(f.bfr, buf(12 + octet, 1), first + (octets - 1 - octet) * 8 + bit + 1)
      end
    end
  end
  local inner = { [3] = "eth_maybefcs", [4] = "ip", [6] = "ipv6" }
  local name = inner[buf(8, 2):bitfield(10, 6)] or "data"
  -- A script cannot tell the IP dissector that a frame was longer than what was kept of it.
  if buf:reported_len() > buf:len() then
    if name == "ip" and buf:len() >= 32 + octets then
      t:add(f.src, buf(24 + octets, 4))
      t:add(f.dst, buf(28 + octets, 4))
    end
    name = "data"
  end
  Dissector.get(name):call(buf(12 + octets):tvb(), pinfo, tree)
  pinfo.cols.protocol = "BIER"
end

DissectorTable.get("ethertype"):add(0xab37, bier)
