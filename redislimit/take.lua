-- The usual case of bucket.lua, in less time: one request for one bucket, whose rate has not changed.
--
-- KEYS[1]  the bucket's state
-- ARGV     ticks per microsecond, less than 2^31; the end of the state as bucket.lua has it, "scale
--          event ;"; the most ticks that may be owed if the request is to fit; and what it costs:
--          whole microseconds, and ticks
--
-- It returns the time, and what was owed before; or only the time, if the state is of another form.

local scale = ARGV[1] + 0
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local text = redis.call('GET', KEYS[1])
local ahead, part = 0, 0
if text then
  local tat, ticks, rest = string.match(text, '^b(%d+) (%d+) (.*)$')
  if rest ~= ARGV[2] then return {now} end
  tat = tat - now
  if tat >= 0 then ahead, part = tat, ticks + 0 end
end
if ahead * scale + part <= ARGV[3] + 0 then
  local drained, left = ahead + ARGV[4], part + ARGV[5]
  if left >= scale then drained, left = drained + 1, left - scale end
  -- A %d is faster than a %.0f, and holds 31 bits everywhere. The time to live has a second more, as
  -- in bucket.lua, so it does not matter that it begins with the server's millisecond.
  local tat = now + drained
  local low = math.fmod(tat, 1000000000)
  redis.call('SET', KEYS[1], string.format('b%d%09d %d ', (tat - low) / 1000000000, low, left) .. ARGV[2],
    'PX', math.ceil((drained + 1) / 1000) + 1000 .. '')
end
return {now, ahead, part}
