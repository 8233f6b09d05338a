-- A window that is aligned to the Unix epoch.
--
-- KEYS[1]  the window's state
-- ARGV     the window's length in microseconds; the limit; an operation; and its arguments, as in
--          bucket.lua
--
-- The state is "w start count": what was granted from start on, in microseconds. A start after the
-- present is that of a clock that was set back: then nothing is granted before it.
--
-- It returns the time, the start and the count: for take and peek those of before.

local per, limit, op = ARGV[1] + 0, ARGV[2] + 0, ARGV[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local text = redis.call('GET', KEYS[1])
local start, count = now - math.fmod(now, per), 0
if text then
  local _, _, s, c = string.find(text, '^w(%d+) (%d+)$')
  if not s then
    return redis.error_reply('RATELIMIT the key has no state of a window')
  end
  if s + per > now then start, count = s + 0, c + 0 end
end

local reply, before = {now, start, count}, count
if op == 'take' then
  for i = 4, #ARGV do
    if now >= start and count + ARGV[i] <= limit then count = count + ARGV[i] end
  end
elseif op == 'charge' then
  count = count + math.min(ARGV[4] + 0, math.max(2147483647 - count, 0))
  reply[3] = count
elseif op == 'refund' then
  local granted = now - ARGV[5]
  if granted >= start and granted < start + per then
    count = count - math.min(ARGV[4] + 0, count)
    reply[3] = count
  end
end
if count ~= before then
  local text = string.format('w%.0f %.0f', start, count)
  redis.call('SET', KEYS[1], text, 'PXAT', string.format('%.0f', math.ceil((start + per) / 1000) + 1000))
end
return reply
