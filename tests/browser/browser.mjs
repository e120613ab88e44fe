// Debian's Chromium under playwright-core.

import process from 'node:process';

import { chromium } from 'playwright-core';

export const open = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
