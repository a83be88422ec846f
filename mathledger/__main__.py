from mathledger.cli import main

raise SystemExit(main())
