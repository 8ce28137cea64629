"""What tasks keep of every test image (`per_image.npz`), and figures of any draw of the images.

One module for each kind of file: `confusion` (segmentation), `coco_detections`, `voc_boxes` (detection), `multilabel`
(classification with several labels an image), `verdicts` (one class an image), `clicks` (annotation). Each says what
its file holds, writes and reads it, and computes the metrics of its tasks for images that count any number of times;
`resampling` finds the kind of a file. Nothing here needs torch or OpenMMLab, so that reports can read what networks
left.
"""
