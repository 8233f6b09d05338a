-- The usual case of bucket.lua, in less time: one request for one bucket, whose rate has not changed.
--
-- KEYS[1]  the bucket's state
-- ARGV     ticks per microsecond; the end of the state as bucket.lua has it, "scale event ;"; the most
--          ticks that may be owed if the request is to fit; and the ticks that it costs
--
-- It returns the time, and what was owed before; or only the time, if the state is of another form.

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local text = redis.call('GET', KEYS[1])
local tat, part = now, 0
if text then
  local t, p, rest = string.match(text, '^b(%d+) (%d+) (.*)$')
  if rest ~= ARGV[2] then return {now} end
  if t + 0 >= now then tat, part = t + 0, p + 0 end
end
if (tat - now) * ARGV[1] + part <= ARGV[3] + 0 then
  local sum = part + ARGV[4]
  local left = math.fmod(sum, ARGV[1])
  local drained = tat + (sum - left) / ARGV[1]
  redis.call('SET', KEYS[1], string.format('b%.0f %.0f ', drained, left) .. ARGV[2],
    'PXAT', string.format('%.0f', math.ceil((drained + 1) / 1000) + 1000))
end
return {now, tat - now, part}
